"""Entry point of `bench`: the commands are in `core.cli`, methods in `methods`, tables in `reports`."""

from core.cli.app import app, main

__all__ = ["app", "main"]

if __name__ == "__main__":
    main()
