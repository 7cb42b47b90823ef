"""Entry point of `bench`: the commands are in `core.cli`, methods in `methods`, tables in `reports`."""

import signal

before = signal.getsignal(signal.SIGINT)
if before is signal.default_int_handler:  # Ctrl-C during the imports ends the program without a word
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from core.cli.app import app, main  # noqa: E402

signal.signal(signal.SIGINT, before)

__all__ = ["app", "main"]

if __name__ == "__main__":
    main()
