"""What every command shares: the console, one line for a mistake, and lists in options."""

import errno
import functools
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape

from core.errors import BenchError
from core.versions import broken_library, check_trio

PIPE_WIDTH = 180
"""Columns where the output is no terminal, so that tables in files and logs are not squeezed."""


class Screen(Console):
    """The console; a reader that closes the pipe (`bench report | head -1`) ends the output, not the work."""

    def on_broken_pipe(self) -> None:
        """Goes on without output."""
        self.quiet = True
        silence()


def silence() -> None:
    """Sends what is still written to standard output nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


console = Screen(width=None if sys.stdout.isatty() else PIPE_WIDTH)

Runs = Annotated[Path, typer.Option("--runs", help="Folder of the run directories.")]
Names = Annotated[str | None, typer.Option(help="Comma-separated values.")]
Missing = Annotated[
    Literal["fail", "count-as-miss", "drop"] | None,
    typer.Option(help="Videos without a file that decodes: fail (default), count-as-miss or drop."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Download no weights, as HF_HUB_OFFLINE=1 does.")]


def friendly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turns what a user can mend into one line and exit code 2, and Ctrl-C into exit code 130."""

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        try:
            check_trio()
            return function(*arguments, **options)
        except BenchError as error:
            line = str(error)
        except BrokenPipeError:
            silence()
            raise typer.Exit(0) from None
        except KeyboardInterrupt:
            console.print("interrupted; the same command continues where it stopped")
            raise typer.Exit(130) from None
        except Exception as error:
            reason = full_disk(error) or broken_library(error)
            if reason is None:
                raise
            line = reason
        complain(line)
        raise typer.Exit(2)

    return command


def full_disk(error: Exception) -> str | None:
    """The line for a disk that takes no more or a folder that cannot be written; None for another error."""
    if not isinstance(error, OSError):
        return None
    if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT):
        return None
    where = error.filename or "the disk"
    return f"{where}: {error.strerror}; free space or choose another folder (--runs, BENCH_CACHE)"


def complain(line: str) -> None:
    """Prints the one line that a mistake gets."""
    Console(stderr=True).print(f"[red]bench:[/] {escape(line)}", soft_wrap=True)


def values(text: str | None) -> tuple[str, ...]:
    """The items of a comma-separated option."""
    return tuple(item.strip() for item in text.split(",") if item.strip()) if text else ()


def integers(text: str | None, option: str) -> tuple[int, ...]:
    """The items of a comma-separated option as integers; raises `BenchError` for one that is none."""
    numbers = []
    for item in values(text):
        try:
            numbers.append(int(item))
        except ValueError as error:
            raise BenchError(f"{option} takes whole numbers, not '{item}', e.g. {option} 12,24") from error
    return tuple(numbers)


def forbid_downloads(offline: bool) -> None:
    """With `offline`, keeps this process and its children from downloading weights.

    By the hubs' own variables, which their libraries read when they are imported.
    """
    if offline:
        os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")


def written(paths: Iterable[Path]) -> None:
    """Says which files a command has written."""
    for path in paths:
        console.print(f"written: {path}", markup=False, highlight=False)


def left_out(notes: Iterable[str]) -> None:
    """Says what a report leaves out, and why."""
    for note in notes:
        console.print(f"left out: {note}", markup=False, style="yellow")
