"""Work spread over processes of one thread each, one item after the other.

What a process that dies or hangs was at is known, and the work goes on in a fresh one.
"""

import math
import os
import pickle
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Generic, Literal, TypeVar

from core.errors import BenchError
from core.supervisor import Ended, Supervisor

TRIES = 2
"""Processes that an item may cost before it is given up: the first may have died of the others' memory."""

TIDY_SECONDS = 2.0
"""That a process has for removing what it has half written."""

Item = TypeVar("Item")
Returned = TypeVar("Returned")

Begin = Callable[[str], None]
"""Called by work that may kill its process, with the name of the step that it begins; "": a harmless one."""


@dataclass(frozen=True)
class LostItem:
    """What stands for the result of an item that has cost its processes."""

    step: str
    """The step that the last of them was at, as it had said itself; "" where it was at none."""
    how: Literal["crashed", "hung"]
    """What it did."""
    reason: str
    """How it ended, in words."""


Crew = Callable[[Callable[[Any, Begin], Any], Sequence[Any], float], Iterator[tuple[Any, Any]]]
"""Workers elsewhere: what `watched` does with a function, its items and the seconds that a step may take."""

_elsewhere: ContextVar[Crew | None] = ContextVar("elsewhere", default=None)


@contextmanager
def sent_to(crew: Crew) -> Iterator[None]:
    """Inside the block, work that would be spread over processes goes to a crew elsewhere instead."""
    before = _elsewhere.set(crew)
    try:
        yield
    finally:
        _elsewhere.reset(before)


def default_workers(items: int) -> int:
    """Processes to use where the user names none: one per core, at most one per item."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, items))


def in_workers(
    function: Callable[[Item], Returned], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Returned]]:
    """Each item with its result, in the order in which they finish.

    With fewer than two workers or items everything runs in this process, also on one thread, so that
    results do not depend on `workers`. `function` goes once to each process, so it may carry a model.
    The first exception of `function` is raised here; what has not ended by then is left undone.
    Raises `BenchError` where an item has cost its processes.
    """
    if workers < 2 or (len(items) < 2 and _elsewhere.get() is None):
        from core.threads import torch_threads  # late: torch takes seconds, in which the server can start

        with torch_threads(1):
            for item in items:
                yield item, function(item)
        return
    for item, result in watched(partial(_without_steps, function), items, workers):
        if isinstance(result, LostItem):
            raise BenchError(
                f"a worker process {result.how} ({result.reason}); finished work is saved, "
                "rerun with --workers 1"
            )
        yield item, result


def _without_steps(function: Callable[[Item], Returned], item: Item, begin: Begin) -> Returned:
    return function(item)


@dataclass
class _Work(Generic[Item]):
    """What a worker is at."""

    item: Item
    tries: int = TRIES
    """Processes that the item may still cost."""
    step: str = ""
    """The step that the worker has announced."""


def watched(
    function: Callable[[Item, Begin], Returned],
    items: Sequence[Item],
    workers: int,
    seconds_per_step: float = math.inf,
) -> Iterator[tuple[Item, Returned | LostItem]]:
    """Each item with its result, in the order in which they finish; none can kill or hang this process.

    A process that dies, or takes longer than `seconds_per_step` over one of its steps, is replaced, and its
    item tried once more after the others; an item that has cost `TRIES` processes comes back as `LostItem`.
    The first exception of `function` is raised here; what has not ended by then is left undone. With several
    workers, inside `sent_to`, the crew does all this.
    """
    elsewhere = _elsewhere.get()
    if elsewhere is not None and workers > 1:
        yield from elsewhere(function, items, seconds_per_step)
        return
    waiting = deque(_Work(item) for item in items)
    with Supervisor[_Work[Item] | None](TIDY_SECONDS) as crew:
        while waiting or any(worker.task for worker in crew.children):
            busy = sum(worker.task is not None for worker in crew.children)
            while len(crew.children) < min(workers, busy + len(waiting)):
                crew.start(None, _serve, function)
            for worker in crew.children:
                if waiting and worker.task is None:
                    worker.task = waiting.popleft()
                    worker.task.step = ""
                    worker.give(worker.task.item)
            for worker, message in crew.messages():
                work = worker.task
                if isinstance(message, Ended):
                    if work is None:
                        continue  # it was killed between two items, which is no item's fault
                    work.tries -= 1
                    if work.tries:
                        waiting.append(work)
                    else:
                        yield work.item, LostItem(work.step, message.how, message.reason)
                elif work is not None:
                    kind, content = message.content
                    if kind == "step":
                        work.step = content
                        worker.expect(seconds_per_step if content else math.inf)
                        continue
                    worker.task = None
                    worker.expect(math.inf)
                    if kind == "raised":
                        raise content
                    yield work.item, content


def _serve(function: Callable[[Any, Begin], Any], pipe: Connection) -> None:
    """The life of a worker."""
    import torch

    torch.set_num_threads(1)
    while True:
        item = pipe.recv()
        try:
            message = "done", function(item, lambda step: pipe.send(("step", step)))
        except Exception as error:
            message = "raised", portable(error)
        pipe.send(message)


def portable(error: Exception) -> Exception:
    """An exception that survives the way to the parent; its traceback, which does not, is a note."""
    try:
        error = pickle.loads(pickle.dumps(error))
    except Exception:  # its class may ask for more than its message
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(traceback.format_exc())
    return error
