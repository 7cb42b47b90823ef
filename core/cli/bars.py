"""Progress on the console: a bar with an estimate on a terminal, finished bars as lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from core.progress import Advance, Tone
from core.visible import visible_lines

TONE_COLOURS: dict[Tone, str] = {"good": "green", "bad": "red", "": ""}


class Bars:
    """One bar per task on the console; on a pipe, one line per finished task."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """A bar for one task."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(description, total=total, note="")

            def advance(units: int, note: str) -> None:
                bar.update(task, advance=units, note=note)

            yield advance

    @contextmanager
    def bars(self) -> Iterator[Callable[[str], "CellBar"]]:
        """A bar per running cell: phase, steps, time spent and left, the latest loss."""
        columns = (
            TextColumn("{task.description}"),
            TextColumn("{task.fields[phase]}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console) as board:
            yield lambda name: CellBar(board, board.add_task(name, total=None, phase="", note=""))

    def say(self, line: str, tone: Tone = "") -> None:
        """One line, its first word in the colour of the tone."""
        text = Text(visible_lines(line))
        text.stylize(TONE_COLOURS[tone], 0, len(line.partition(" ")[0]))
        self.console.print(text, soft_wrap=True)


@dataclass(frozen=True)
class CellBar:
    """One of the bars of `Bars.bars`."""

    board: Progress
    task: TaskID

    def start(self, phase: str, total: int) -> None:
        """A new phase of `total` units begins."""
        self.board.reset(self.task, total=total, phase=phase, note="")

    def advance(self, units: int, note: str) -> None:
        """Units done since the last call."""
        self.board.update(self.task, advance=units, note=note)

    def remove(self) -> None:
        """Takes the bar away."""
        self.board.remove_task(self.task)
