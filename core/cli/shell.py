"""What every command shares: the console, one line for a mistake, and lists in options."""

import errno
import functools
import inspect
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from traceback import format_exception
from typing import Annotated, Any

import typer
from rich.markup import escape

from core.cli.answers import AsJson as AsJson
from core.cli.answers import answer as answer
from core.cli.answers import reserved
from core.cli.hints import line_of
from core.cli.screen import Screen, silence
from core.data_options import MissingPolicy
from core.errors import BenchError
from core.progress import bytes_in_words
from core.ranges import span
from core.versions import broken_library, check_trio
from core.visible import visible, visible_line

console = Screen()

Runs = Annotated[Path, typer.Option("--runs", help="Folder that holds the run folders.")]
Missing = Annotated[
    MissingPolicy | None,
    typer.Option(help="What to do about videos without a usable file; they fail the command by default."),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Do not download weights, as with HF_HUB_OFFLINE=1.")
]


Traceback = Annotated[bool, typer.Option("--traceback", help="Show where a plug-in's code failed.")]


def one_line_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turns what a user can fix into one line and exit code 2, and Ctrl-C into exit code 130.

    The command takes `--traceback`, which shows what lies behind the line. With `--json`, where it has that
    option, standard output is its answer's alone.
    """
    known = inspect.signature(function)
    own = "traceback" in known.parameters

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        shown = bool(options["traceback"] if own else options.pop("traceback", False))
        try:
            check_trio()
            with reserved(bool(options.get("json"))):
                return function(*arguments, **options)
        except BenchError as error:
            complain_of(error, traceback=shown)
            raise typer.Exit(2) from None
        except BrokenPipeError:
            silence()
            raise typer.Exit(0) from None
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is to end, which takes no second one
            console.print("interrupted; the same command continues with what is left")
            raise typer.Exit(130) from None
        except Exception as error:
            reason = refused_by_system(error) or out_of_memory(error) or broken_library(error)
            if reason is None:
                raise
            line = reason
        print_error(line)
        raise typer.Exit(2)

    if not own:
        last = inspect.Parameter(
            "traceback", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Traceback
        )
        command.__signature__ = known.replace(parameters=[*known.parameters.values(), last])  # type: ignore[attr-defined]
        command.__annotations__ = {**function.__annotations__, "traceback": Traceback}
    return command


def complain_of(error: BenchError, *, traceback: bool) -> None:
    """Prints the one line of a mistake, and with `traceback` what lies behind it, on standard error."""
    if traceback:
        behind = "".join(format_exception(error.__cause__)) if error.__cause__ else ""
        # that of another process comes as a note
        text = behind or "\n".join(getattr(error, "__notes__", ()))
        if text:
            Screen(stderr=True).print(escape(visible(text)), soft_wrap=True)
    print_error(line_of(error))


def show_logs(files: Iterable[Path]) -> None:
    """Prints the tracebacks that cells have left, on standard error."""
    for file in files:
        if file.is_file():
            text = visible(file.read_text(encoding="utf-8", errors="replace"))
            Screen(stderr=True).print(f"{escape(str(file))}:\n{escape(text)}", soft_wrap=True)


def refused_by_system(error: Exception) -> str | None:
    """The line for a disk that takes no more, or a path that the system refuses; None for another error."""
    if not isinstance(error, OSError):
        return None
    where = error.filename or "the disk"
    if error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT):
        return f"{where}: {error.strerror}; free space or choose another folder (--runs, BENCH_CACHE)"
    if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EIO):
        return f"{where}: {error.strerror}; give another path"
    return None


def out_of_memory(error: Exception) -> str | None:
    """The line for an allocation that fails; None for another error."""
    asked = re.search(r"DefaultCPUAllocator.*?allocate (\d+) bytes", str(error), re.DOTALL)
    if not asked and not isinstance(error, (MemoryError, *torch_memory_errors())):
        return None
    wanted = f" ({bytes_in_words(int(asked[1]))} were asked for)" if asked else ""
    return f"out of memory{wanted}; choose smaller sizes or another machine"


def torch_memory_errors() -> tuple[type[Exception], ...]:
    """What torch raises where a GPU's memory is full; nothing where nobody has imported it yet."""
    torch = sys.modules.get("torch")
    return () if torch is None else (torch.OutOfMemoryError,)


def print_error(line: str) -> None:
    """Prints the one line that a mistake gets."""
    Screen(stderr=True).print(f"[red]bench:[/] {escape(visible_line(line))}", soft_wrap=True)


def listed_values(text: str | None, option: str) -> tuple[str, ...]:
    """The items of a comma-separated option, none where it is not given.

    Raises `BenchError` where it is given and empty.
    """
    if text is None:
        return ()
    items = tuple(item.strip() for item in text.split(",") if item.strip())
    if not items:
        raise BenchError(f"{option} is empty; name at least one value, or leave the option out")
    return items


def integers(text: str | None, option: str) -> tuple[int, ...]:
    """The items of a comma-separated option as integers; `0-4` are all from 0 to 4.

    Raises `BenchError` for one that is neither.
    """
    numbers: list[int] = []
    for item in listed_values(text, option):
        try:
            numbers += span(item, option) or (int(item),)
        except ValueError as error:
            raise BenchError(
                f"{option} takes whole numbers, not '{item}', e.g. {option} 12,24 or {option} 12-15"
            ) from error
    return tuple(numbers)


def finite(number: float) -> float:
    """A number of an option as it is; refuses an infinite one and one that is none."""
    if not math.isfinite(number):
        raise typer.BadParameter(f"{number} is not a finite number")
    return number


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


def say_left_out(notes: Iterable[str]) -> None:
    """Says what a report leaves out, and why."""
    for note in notes:
        console.print(f"left out: {note}", markup=False, style="yellow")


def broken(reasons: Mapping[str, str]) -> None:
    """Says what of a list cannot be used, a line each."""
    for name in sorted(reasons):
        console.print(f"broken: {reasons[name]}", markup=False, highlight=False, style="red")


def broken_records(reasons: Mapping[str, str]) -> list[dict[str, str]]:
    """The same for programs."""
    return [{"name": name, "broken": reasons[name]} for name in sorted(reasons)]
