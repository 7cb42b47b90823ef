"""Work spread over processes of one thread each, which end when their parent ends.

Processes are forked from a server that has imported the engine once and has touched no device: they
start at once, and no copy of a process with running threads is ever made. Each has a pipe of its own to
the parent, who therefore knows what a process that dies or hangs was at, and goes on in a fresh one.
"""

import math
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import Any, Generic, Literal, TypeVar

from core.errors import BenchError

PRELOADED = (
    "core.running.cells",
    "core.running.scheduler",
    "open_clip",
    "transformers.models.whisper.modeling_whisper",
)
"""What the server imports, by name: it holds all that any worker or cell needs."""

CONTEXT = multiprocessing.get_context("forkserver")
"""How every process of the engine starts."""

CHANCES = 2
"""Processes that an item may cost before it is given up: the first may have died of the others' memory."""

TIDY_SECONDS = 2.0
"""That a process has for removing what it has half written."""

Item = TypeVar("Item")
Result = TypeVar("Result")

Begin = Callable[[str], None]
"""Called by work that may kill its process, with the name of the step that it begins; "": a harmless one."""


@dataclass(frozen=True)
class Lost:
    """What stands for the result of an item that has cost its processes."""

    step: str
    """The step that the last of them was at, as it had said itself; "" where it was at none."""
    how: Literal["crashed", "hung"]
    """What it did."""
    reason: str
    """How it ended, in words."""


def default_workers(items: int) -> int:
    """Processes to use where the user names none: one per core, at most one per item."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, items))


def start_server() -> None:
    """Starts the server in the background, so that it imports while this process does other things."""
    CONTEXT.set_forkserver_preload(list(PRELOADED))
    # A terminal sends Ctrl-C to every process; blocked here, it reaches neither the server nor its children.
    resource_tracker.ensure_running()  # which the server needs, and whose start would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def in_workers(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, in the order in which they finish.

    With fewer than two workers or items everything runs in this process, also on one thread, so that
    results do not depend on `workers`. `function` goes once to each process, so it may carry a model.
    The first exception of `function` is raised here; what has not ended by then is left undone.
    Raises `BenchError` where an item has cost its processes.
    """
    if min(workers, len(items)) < 2:
        import torch  # late: importing it takes seconds, in which the server can start already

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for item in items:
                yield item, function(item)
        finally:
            torch.set_num_threads(threads)
        return
    for item, result in watched(partial(_without_steps, function), items, workers):
        if isinstance(result, Lost):
            raise BenchError(
                f"a worker process {result.how} ({result.reason}); what was finished is kept, "
                "so try again with one worker"
            )
        yield item, result


def _without_steps(function: Callable[[Item], Result], item: Item, begin: Begin) -> Result:
    return function(item)


def watched(
    function: Callable[[Item, Begin], Result],
    items: Sequence[Item],
    workers: int,
    seconds_per_step: float = math.inf,
) -> Iterator[tuple[Item, Result | Lost]]:
    """Each item with its result, in the order in which they finish; none can kill or hang this process.

    A process that dies, or takes longer than `seconds_per_step` over one of its steps, is replaced, and its
    item tried once more after the others; an item that has cost `CHANCES` processes comes back as `Lost`.
    The first exception of `function` is raised here; what has not ended by then is left undone.
    """
    start_server()
    waiting = deque(_Task(item) for item in items)
    crew: list[_Worker[Item]] = []
    try:
        while waiting or any(one.task for one in crew):
            for one in crew:
                if waiting and not one.task:
                    one.give(waiting.popleft())
            while waiting and len(crew) < workers:
                crew.append(_Worker(function))
                crew[-1].give(waiting.popleft())
            busy = {one.pipe: (one, one.task) for one in crew if one.task}
            patience = min(one.began for one, _ in busy.values()) + seconds_per_step - monotonic()
            heard = wait(list(busy), None if patience == math.inf else max(0.0, patience))
            for pipe, (one, task) in busy.items():
                kind, content = one.news(pipe in heard, seconds_per_step)
                if kind == "raised":
                    raise content
                if kind == "done":
                    yield task.item, content
                if kind == "lost":
                    crew.remove(one)
                    task.chances -= 1
                    if task.chances:
                        waiting.append(task)
                    else:
                        yield task.item, content
    finally:
        for one in crew:
            one.process.terminate()
        for one in crew:
            one.end()


@dataclass
class _Task(Generic[Item]):
    """An item, and how many processes it may still cost."""

    item: Item
    chances: int = CHANCES


class _Worker(Generic[Item]):
    """A process that takes one item after the other, as its parent sees it."""

    def __init__(self, function: Callable[[Item, Begin], Any]) -> None:
        self.task: _Task[Item] | None = None
        self.step, self.began = "", math.inf
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(function, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, task: _Task[Item]) -> None:
        """Begins a task."""
        self.task, self.step, self.began = task, "", math.inf
        with suppress(OSError):  # a process that has died meanwhile is heard of as news
            self.pipe.send(task.item)

    def news(self, speaks: bool, seconds_per_step: float) -> tuple[str, Any]:
        """What the process says or has come to: `step`, `done`, `raised`, `lost`, or `` for nothing new."""
        if not speaks:
            if monotonic() - self.began < seconds_per_step:
                return "", None
            self.end()
            return "lost", Lost(self.step, "hung", f"no end after {seconds_per_step:g} s")
        try:
            kind, content = self.pipe.recv()
        except (EOFError, OSError):  # it has ended, perhaps in the middle of a word
            self.process.join()
            reason = _ending(self.process.exitcode or 0)
            self.end()
            return "lost", Lost(self.step, "crashed", reason)
        if kind == "step":
            self.step, self.began = content, monotonic() if content else math.inf
        else:
            self.task = None
        return kind, content

    def end(self) -> None:
        """Ends the process, which may tidy up first unless it hangs."""
        self.process.terminate()
        self.process.join(TIDY_SECONDS)
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    hint = ", perhaps out of memory" if exit_code == -signal.SIGKILL else ""
    return f"{signal.strsignal(-exit_code)}{hint}"


def _serve(function: Callable[[Any, Begin], Any], pipe: Connection) -> None:
    """The life of a worker."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that half-written files are removed
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        item = pipe.recv()
        try:
            message = "done", function(item, lambda step: pipe.send(("step", step)))
        except Exception as error:
            error.add_note(traceback.format_exc())  # tracebacks do not travel
            message = "raised", error
        pipe.send(message)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # returns also when the parent was killed and could tell nobody
        os._exit(1)
