"""Files opened in worker processes: one that crashes or hangs FFmpeg costs a process, never the command."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from core.dataset import Video
from core.workers import Begin, Lost, watched

CLIP_SECONDS = 600.0
"""After which the decoder of any clip counts as hung."""
LEAST_SECONDS = 60.0
"""What even the smallest file may take: clips of the field's data sets take a second or two."""
SECONDS_PER_MEGABYTE = 2.0
"""What a larger file may take beyond that: a minute of film has some ten megabytes and decodes in seconds."""

GIVEN_UP = ("crashed the decoder", "hung the decoder")
"""How the reason begins for a file over which decoding has cost processes."""

Returned = TypeVar("Returned")


def each_clip(
    function: Callable[[Video], Returned],
    videos: Sequence[Video],
    workers: int,
    seconds: float = CLIP_SECONDS,
) -> Iterator[tuple[Video, Returned | Lost]]:
    """Each video with what `function` makes of its file, or with how that crashed or hung its processes.

    In the order in which they finish; `seconds` is the time that one file may take.
    """
    return watched(partial(_as_step, function), videos, workers, seconds)


def reason_of(lost: Lost) -> str:
    """Why a clip counts as undecodable, e.g. "crashed the decoder (Segmentation fault)"."""
    if lost.reason.startswith(signal.strsignal(signal.SIGALRM) or "Alarm"):
        return f"hung the decoder (no end after {LEAST_SECONDS:g} s and {SECONDS_PER_MEGABYTE:g} s per MB)"
    return f"{lost.how} the decoder ({lost.reason})"


def patience(video: Video) -> float:
    """Seconds that the file of a video may take, by its size."""
    try:
        size = video.path.stat().st_size
    except OSError:  # what is not there is found out by who opens it
        size = 0
    return min(CLIP_SECONDS, LEAST_SECONDS + SECONDS_PER_MEGABYTE * size / 1e6)


@contextmanager
def bounded(video: Video) -> Iterator[None]:
    """Ends this process, if it is a worker, where what is done with a file takes longer than its `patience`.

    By the system's alarm: a decoder that hangs inside FFmpeg runs no handler of Python's.
    """
    if multiprocessing.parent_process() is None:
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, patience(video))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _as_step(function: Callable[[Video], Returned], video: Video, begin: Begin) -> Returned:
    begin(video.id)
    with bounded(video):
        return function(video)
