"""Runs cells one process each: a failed cell stops no other, an interrupt leaves all of them resumable."""

import os
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Literal

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from core.errors import BenchError
from core.runs import RunDirectory
from core.spec import RunSpec
from core.workers import CONTEXT, start_server


@dataclass(frozen=True)
class Cell:
    """A cell to be run: its spec, its folder, and how many threads it may use."""

    spec: RunSpec
    directory: RunDirectory


@dataclass(frozen=True)
class Outcome:
    """How a cell ended."""

    cell: Cell
    state: Literal["done", "failed", "interrupted"]
    message: str = ""
    """Of a failed cell: what went wrong, in one line."""
    mendable: bool = False
    """Whether the user can mend it, as a damaged file; else it is a defect or a killed process."""


class Messages:
    """The progress of a cell, sent to the parent process."""

    def __init__(self, name: str, messages: Any) -> None:
        self.name = name
        self.messages = messages

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int, str], None]]:
        """See `core.progress.Progress.task`."""
        self.messages.put((self.name, "start", description, total))
        yield lambda units, note: self.messages.put((self.name, "advance", note, units))

    def say(self, line: str) -> None:
        """Nothing: what long work a cell needs was announced by the parent, which did it before."""


def default_workers(cells: int) -> int:
    """Processes to use where the user names none: one per core, at most one per cell."""
    return max(
        1,
        min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, cells),
    )


def run_cells(cells: Sequence[Cell], workers: int, console: Console) -> list[Outcome]:
    """Runs the cells with at most `workers` processes at a time and shows a bar per running cell.

    Raises `KeyboardInterrupt` after every running cell has marked itself as interrupted.
    """
    start_server()
    threads = max(1, default_workers(workers * 64) // workers)
    messages = CONTEXT.Queue()
    waiting, outcomes = list(cells), list[Outcome]()
    running: dict[Any, tuple[Any, Cell, Connection]] = {}
    with cell_bars(console) as bars:
        tasks: dict[str, Any] = {}
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    cell = waiting.pop(0)
                    ours, theirs = CONTEXT.Pipe()
                    process = CONTEXT.Process(
                        target=run_in_child, args=(cell, threads, messages, theirs), daemon=False
                    )
                    process.start()
                    theirs.close()
                    running[process.sentinel] = (process, cell, ours)
                ended = wait(list(running), timeout=0.2)
                show(messages, bars, tasks)
                for sentinel in ended:
                    process, cell, lifeline = running.pop(sentinel)
                    outcomes.append(outcome_of(cell, process.exitcode, lifeline))
                    if cell.directory.path.name in tasks:
                        bars.remove_task(tasks.pop(cell.directory.path.name))
                    console.print(describe(outcomes[-1]))
        except KeyboardInterrupt:
            for process, _, _ in running.values():
                process.terminate()
            for process, _, _ in running.values():
                process.join()
            raise
    return outcomes


def run_in_child(cell: Cell, threads: int, messages: Any, lifeline: Connection) -> None:
    """The life of a cell's process: run, or say how it ended; ends at once when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal signals the whole group; the parent decides
    signal.signal(signal.SIGTERM, raise_interrupt)
    threading.Thread(target=end_with_parent, args=(lifeline,), daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    from core.cells import run_cell

    directory = cell.directory
    try:
        with directory.locked():
            try:
                run_cell(cell.spec, directory, Messages(directory.path.name, messages))
            except KeyboardInterrupt:
                directory.set_status("interrupted")
            except BenchError as error:
                directory.set_status("failed", message=str(error), mendable=True)
            except Exception as error:  # a defect of one cell must not stop the others; it is logged whole
                (directory.path / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
                directory.set_status("failed", message=f"{type(error).__name__}: {error}")
    except BenchError as error:
        lifeline.send(str(error))


def raise_interrupt(number: int, frame: object) -> None:
    """The first SIGTERM becomes a KeyboardInterrupt; further ones change nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def end_with_parent(lifeline: Connection) -> None:
    """Ends this process when the other end of the pipe closes, which is when the parent has died."""
    try:
        lifeline.recv()
    except (EOFError, OSError):
        os._exit(1)


def outcome_of(cell: Cell, exit_code: int | None, lifeline: Connection) -> Outcome:
    """How a cell ended, from its status file, or from its exit code where it could not write one."""
    try:
        return Outcome(cell, "failed", lifeline.recv(), mendable=True)
    except EOFError:  # the process ended without a word: its status file has the rest
        pass
    status = cell.directory.status()
    state = status.get("state")
    if state in ("done", "failed", "interrupted"):
        return Outcome(cell, state, status.get("message", ""), bool(status.get("mendable")))
    message = f"its process ended with code {exit_code}" + (
        " (killed, perhaps out of memory)" if exit_code == -9 else ""
    )
    cell.directory.set_status("failed", message=message)
    return Outcome(cell, "failed", message)


def describe(outcome: Outcome) -> str:
    """An outcome as one line of console markup."""
    name = outcome.cell.directory.path.name
    if outcome.state == "done":
        manifest = outcome.cell.directory.read_json("manifest.json")
        return f"[green]done[/] {name}  {manifest['wall_seconds']:.0f} s"
    log = outcome.cell.directory.path / "error.txt"
    return f"[red]{outcome.state}[/] {name}  {outcome.message}" + (f"  (log: {log})" if log.exists() else "")


def show(messages: Any, bars: Progress, tasks: dict[str, Any]) -> None:
    """Moves the bars by the messages that have arrived."""
    while True:
        try:
            name, kind, text, number = messages.get_nowait()
        except queue.Empty:
            return
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=None, note="", phase="")
        if kind == "start":
            bars.reset(tasks[name], total=number, phase=text, note="")
        else:
            bars.update(tasks[name], advance=number, note=text)


def cell_bars(console: Console) -> Progress:
    """A bar per running cell: phase, steps, time spent and left, the latest loss."""
    return Progress(
        TextColumn("{task.description}"),
        TextColumn("{task.fields[phase]}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )
