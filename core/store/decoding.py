"""Files opened in worker processes: one that crashes or hangs FFmpeg costs a process, never the command."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from core.dataset import Video
from core.workers import Begin, Lost, watched

CLIP_SECONDS = 600.0
"""After which the decoder of a clip counts as hung: clips of the field's data sets take a second or two."""

Result = TypeVar("Result")


def each_clip(
    function: Callable[[Video], Result], videos: Sequence[Video], workers: int, seconds: float = CLIP_SECONDS
) -> Iterator[tuple[Video, Result | Lost]]:
    """Each video with what `function` makes of its file, or with how that crashed or hung its processes.

    In the order in which they finish; `seconds` is the time that one file may take.
    """
    return watched(partial(_as_step, function), videos, workers, seconds)


def reason_of(lost: Lost) -> str:
    """Why a clip counts as undecodable, e.g. "crashed the decoder (Segmentation fault)"."""
    return f"{lost.how} the decoder ({lost.reason})"


def _as_step(function: Callable[[Video], Result], video: Video, begin: Begin) -> Result:
    begin(video.id)
    return function(video)
