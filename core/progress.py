"""Progress of long work: a bar with an estimate on a terminal, nothing elsewhere."""

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


class Silent:
    """Reports nothing."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """See `Progress.task`."""
        yield lambda units, note: None


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
