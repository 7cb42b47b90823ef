"""Runs cells one process each: a failed cell stops no other, an interrupt leaves all of them resumable.

Each process has a pipe of its own to the parent. It carries the cell's progress, so that a process that is
killed in the middle of a word harms no other; and it is the cell's lifeline, for it closes when the parent
has died.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess

import torch

from core.progress import Bar, Screen, Tone
from core.running.outcomes import Cell, Outcome, describe, outcome_of, run_and_mark
from core.workers import CONTEXT, default_workers, start_server


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return [str(number) for number in range(count)] if named is None else named.split(",")[:count]


def default_slots(cells: int) -> int:
    """Cells at a time where the user names no number: one per GPU, without GPUs one per core."""
    return min(len(visible_gpus()), cells) or default_workers(cells)


def slots(workers: int, gpus: Sequence[str]) -> list[str | None]:
    """The GPU of each of `workers` places, dealt out in turn; None for all where there is no GPU."""
    return [gpus[place % len(gpus)] if gpus else None for place in range(workers)]


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

    process: ForkServerProcess
    cell: Cell
    pipe: Connection
    """Our end."""
    gpu: str | None
    bar: Bar
    refused: str = ""
    """Why the process could not enter the cell, if it said so."""


def run_cells(cells: Sequence[Cell], workers: int, screen: Screen) -> list[Outcome]:
    """Runs the cells with at most `workers` processes at a time and shows a bar per running cell.

    Raises `KeyboardInterrupt` after every running cell has marked itself as interrupted.
    """
    start_server()
    threads = max(1, default_workers(workers * 64) // workers)
    free = slots(workers, visible_gpus())
    waiting, outcomes = list(cells), list[Outcome]()
    running: list[Running] = []
    with screen.bars() as add_bar:
        try:
            while waiting or running:
                while waiting and free:
                    running.append(begin(waiting.pop(0), threads, free.pop(0), add_bar))
                wait([one.process.sentinel for one in running], timeout=0.2)
                for one in list(running):
                    ended = not one.process.is_alive()  # asked first, so that its last words are heard
                    listen(one)
                    if ended:
                        running.remove(one)
                        free.append(one.gpu)
                        one.bar.remove()
                        one.pipe.close()
                        outcomes.append(outcome_of(one.cell, one.refused, ending(one.process.exitcode)))
                        screen.say(describe(outcomes[-1]), outcomes[-1].tone)
        except KeyboardInterrupt:
            for one in running:
                one.process.terminate()
            for one in running:
                while one.process.is_alive():
                    listen(one)  # a cell that nobody hears waits
                    one.process.join(timeout=0.1)
            raise
    return outcomes


def begin(cell: Cell, threads: int, gpu: str | None, add_bar: Callable[[str], Bar]) -> Running:
    """Starts a cell in a process of its own."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=run_in_child, args=(cell, threads, gpu, theirs), daemon=False)
    process.start()
    theirs.close()
    return Running(process, cell, ours, gpu, add_bar(cell.directory.path.name))


def listen(one: Running) -> None:
    """Takes what a cell has said and moves its bar."""
    try:
        while one.pipe.poll():
            kind, text, number = one.pipe.recv()
            if kind == "start":
                one.bar.start(text, number)
            elif kind == "advance":
                one.bar.advance(number, text)
            else:
                one.refused = text
    except (EOFError, OSError):  # the process has ended, perhaps in the middle of a word
        return


def ending(exit_code: int | None) -> str:
    """How a process ended, for a cell that could not say it."""
    reason = " (killed, perhaps out of memory)" if exit_code == -signal.SIGKILL else ""
    return f"its process ended with code {exit_code}{reason}"


def run_in_child(cell: Cell, threads: int, gpu: str | None, pipe: Connection) -> None:
    """The life of a cell's process: run, or say why it cannot; ends at once when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal signals the whole group; the parent decides
    signal.signal(signal.SIGTERM, raise_interrupt)
    threading.Thread(target=end_with_parent, args=(pipe,), daemon=True).start()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    torch.set_num_threads(threads)
    messages = Messages(pipe)
    if refused := run_and_mark(cell, messages):
        messages.send("refused", refused, 0)


def raise_interrupt(number: int, frame: object) -> None:
    """The first SIGTERM becomes a KeyboardInterrupt; further ones change nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def end_with_parent(pipe: Connection) -> None:
    """Ends this process when the other end of the pipe closes, which is when the parent has died."""
    try:
        pipe.recv()
    except (EOFError, OSError):
        os._exit(1)
