"""Files opened in worker processes: one that crashes or hangs FFmpeg costs a process, never the command."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import av

from core.dataset import Video
from core.media.demuxing import MediaError, opened
from core.workers import Begin, LostItem, watched

CLIP_SECONDS = 600.0
"""After which the decoder of any clip counts as hung."""
LEAST_SECONDS = 30.0
"""What even the smallest file may take: clips of the field's data sets take a second or two."""
SECONDS_PER_SECOND = 1.0
"""What a second of film may take beyond that: film of usual sizes decodes many times as fast as it plays."""
SECONDS_PER_MEGABYTE = 2.0
"""The same by size, for large pictures: a minute of film has some ten megabytes. The larger one counts."""

GIVEN_UP = ("crashed the decoder", "hung the decoder")
"""How the reason begins for a file over which decoding has cost processes."""

Returned = TypeVar("Returned")


def each_clip(
    function: Callable[[Video], Returned],
    videos: Sequence[Video],
    workers: int,
    seconds: float = CLIP_SECONDS,
) -> Iterator[tuple[Video, Returned | LostItem]]:
    """Each video with what `function` makes of its file, or with how that crashed or hung its processes.

    In the order in which they finish; `seconds` is the time that one file may take.
    """
    return watched(partial(_as_step, function), videos, workers, seconds)


def reason_of(lost: LostItem) -> str:
    """Why a clip counts as undecodable, e.g. "crashed the decoder (Segmentation fault)"."""
    if lost.reason.startswith(signal.strsignal(signal.SIGALRM) or "Alarm"):
        return "hung the decoder (no end in the time that a clip of its length and size may take)"
    return f"{lost.how} the decoder ({lost.reason})"


def patience(video: Video) -> float:
    """Seconds that the file of a video may take, by its length and its size; it is opened for that."""
    size = sum(bytes_of(path) for path in (video.path, video.sound) if isinstance(path, Path))
    length = SECONDS_PER_SECOND * stated_seconds(video.path)
    return min(CLIP_SECONDS, LEAST_SECONDS + max(length, SECONDS_PER_MEGABYTE * size / 1e6))


def bytes_of(path: Path) -> int:
    """The size of a file; 0 for one that is not there, which is found out by who opens it."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def stated_seconds(path: Path) -> float:
    """The length that a file states in its header; 0 where it states none or cannot be opened."""
    try:
        with opened(path, 0.0) as container:
            return max(0.0, (container.duration or 0) / av.time_base)
    except MediaError:
        return 0.0


@contextmanager
def bounded(video: Video) -> Iterator[None]:
    """Ends this process, if it is a worker, where what is done with a file takes longer than its `patience`.

    By the system's alarm: a decoder that hangs inside FFmpeg runs no handler of Python's. Until the length is
    known, the least time counts.
    """
    if multiprocessing.parent_process() is None:
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, LEAST_SECONDS)
    try:
        signal.setitimer(signal.ITIMER_REAL, patience(video))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _as_step(function: Callable[[Video], Returned], video: Video, begin: Begin) -> Returned:
    begin(video.id)
    with bounded(video):
        return function(video)
