"""Work spread over processes of one thread each, which end when their parent ends.

Processes are forked from a server that has imported the engine once and has touched no device: they
start at once, and no copy of a process with running threads is ever made.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from typing import Any, TypeVar

from core.errors import BenchError

PRELOADED = ("core.cells", "core.scheduler", "open_clip", "transformers.models.whisper.modeling_whisper")
"""What the server imports, by name: it holds all that any worker or cell needs."""

CONTEXT = multiprocessing.get_context("forkserver")
"""How every process of the engine starts."""

Item = TypeVar("Item")
Result = TypeVar("Result")

_work: Callable[[Any], Any]


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
    The first exception of `function` is raised here; what has not begun by then is left undone.
    Raises `BenchError` where a process dies.
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
    start_server()
    pool = ProcessPoolExecutor(
        min(workers, len(items)),
        mp_context=CONTEXT,
        initializer=_begin,
        initargs=(function,),
    )
    try:
        futures = {pool.submit(_do, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise BenchError(
            "a worker process died (out of memory, or a media file that crashes its decoder); "
            "what was finished is kept, so try again with one worker"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(function: Callable[[Any], Any]) -> None:
    global _work
    _work = function
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _do(item: Any) -> Any:
    return _work(item)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # returns also when the parent was killed and could tell nobody
        os._exit(1)
