"""Runs cells one process each: a failed cell stops no other, an interrupt leaves all of them resumable."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from core.errors import BenchError
from core.progress import Bar, ManyBars, Tone
from core.running.outcomes import Cell, Outcome, outcome_line, outcome_of, run_and_mark
from core.running.places import slots, visible_gpus
from core.supervisor import Ended, Supervisor, hurried
from core.training.training import kept_in_words

GRACE = 60.0
"""Seconds that interrupted cells have for marking themselves; another Ctrl-C ends them at once."""

SCHEDULER_LOOK = 0.2
"""Seconds after which the bars move though no cell has said anything."""


@dataclass(frozen=True)
class Messages:
    """The progress of a cell, sent to the parent process."""

    pipe: Connection

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int, str], None]]:
        """A task of the cell, shown by the parent."""
        self.send("start", description, total)
        yield lambda units, note: self.send("advance", note, units)

    def send(self, kind: str, text: str, number: int) -> None:
        """Says something to the parent; ends this process where the parent has died."""
        try:
            self.pipe.send((kind, text, number))
        except OSError:
            os._exit(1)

    def say(self, line: str, tone: Tone = "") -> None:
        """Nothing: what long work a cell needs was announced by the parent, which did it before."""


@dataclass
class Running:
    """A cell in its process."""

    cell: Cell
    gpu: str | None
    bar: Bar
    refused: str = ""
    """Why the process could not enter the cell or leave its end there, if it said so."""


def run_cells(cells: Sequence[Cell], workers: int, screen: ManyBars) -> list[Outcome]:
    """Runs the cells with at most `workers` processes at a time and shows a bar per running cell.

    Whatever goes wrong here ends every running cell, and each marks itself as interrupted first.
    """
    entered: list[Cell] = []
    try:
        return _run_cells(cells, workers, screen, entered)
    except BaseException:
        mark_interrupted(entered, screen)
        raise


def _run_cells(cells: Sequence[Cell], workers: int, screen: ManyBars, entered: list[Cell]) -> list[Outcome]:
    """As `run_cells`; lists in `entered` the cells whose processes have started and not ended."""
    free = slots(workers, visible_gpus())
    waiting, outcomes = deque(cells), list[Outcome]()
    with screen.bars() as add_bar, Supervisor[Running](GRACE, daemon=False) as crew:
        while waiting or crew.children:
            while waiting and free:
                cell, gpu = waiting.popleft(), free.pop(0)
                one = Running(cell, gpu, add_bar(cell.directory.path.name))
                entered.append(cell)
                crew.start(one, run_in_child, cell, gpu)
            for child, message in crew.messages(SCHEDULER_LOOK):
                one = child.task
                if isinstance(message, Ended):
                    free.append(one.gpu)
                    entered.remove(one.cell)
                    one.bar.remove()
                    ending = f"its process ended ({message.reason})"
                    outcomes.append(outcome_of(one.cell, one.refused, ending))
                    screen.say(outcome_line(outcomes[-1]), outcomes[-1].tone)
                else:
                    kind, text, number = message.content
                    take(one, kind, text, number)
    return outcomes


def mark_interrupted(cells: Sequence[Cell], screen: ManyBars) -> None:
    """Says what is kept of interrupted cells, and marks those that could not do so themselves."""
    with hurried():
        for cell in cells:
            with suppress(BenchError, OSError), cell.directory.locked():
                if cell.directory.status().get("state") == "running":
                    cell.directory.set_status("interrupted")
            where = kept_in_words(cell.directory.path, cell.spec.training.epochs)
            screen.say(f"interrupted {cell.directory.path.name}; {continuation(where)}", "bad")


def continuation(where: str) -> str:
    """How an interrupted cell goes on, by what `kept_in_words` says of it.

    >>> continuation("from the start"), continuation("after 32 steps")
    ('nothing of it is saved yet, it will start again', 'it will go on after 32 steps')
    """
    afresh = "from the start"
    if where.startswith(afresh):
        return f"nothing of it is saved yet, it will start again{where.removeprefix(afresh)}"
    return f"it will go on {where}"


def take(one: Running, kind: str, text: str, number: int) -> None:
    """Takes what a cell has said and moves its bar."""
    if kind == "start":
        one.bar.start(text, number)
    elif kind == "advance":
        one.bar.advance(number, text)
    else:
        one.refused = text


def run_in_child(cell: Cell, gpu: str | None, pipe: Connection) -> None:
    """The life of a cell's process: run, or say why it cannot."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    messages = Messages(pipe)
    if refused := run_and_mark(cell, messages):
        messages.send("refused", refused, 0)
