"""Progress of long work: a bar with an estimate on a terminal, nothing elsewhere."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

Advance = Callable[[int, str], None]
"""Called with the units done since the last call and a short note such as the current loss."""


class Progress(Protocol):
    """Where long work reports to."""

    def task(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """A task of `total` units; the context yields the function that advances it."""
        ...

    def say(self, line: str) -> None:
        """One line for the user, such as an estimate before long work begins."""
        ...


class Silent:
    """Reports nothing."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """See `Progress.task`."""
        yield lambda units, note: None

    def say(self, line: str) -> None:
        """See `Progress.say`."""


class Bars:
    """One bar per task on the console; on a pipe, one line per finished task."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """See `Progress.task`."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with RichProgress(*columns, console=self.console) as bar:
            task = bar.add_task(description, total=total, note="")

            def advance(units: int, note: str) -> None:
                bar.update(task, advance=units, note=note)

            yield advance

    def say(self, line: str) -> None:
        """See `Progress.say`."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def bytes_in_words(size: float) -> str:
    """A number of bytes for people.

    >>> bytes_in_words(24.31e9), bytes_in_words(3_400_000)
    ('24.3 GB', '3.4 MB')
    """
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def seconds_in_words(seconds: float) -> str:
    """A time span for people, whole seconds rounded up.

    >>> seconds_in_words(11.4), seconds_in_words(750), seconds_in_words(11_000)
    ('12 s', '12 min', '3.1 h')
    """
    if seconds >= 7200:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{math.ceil(seconds)} s"
