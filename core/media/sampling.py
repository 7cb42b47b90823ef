"""Which frames of a video a method sees: three rules, as released on frame numbers alone.

`segment_centres` is the rule of X-Pool, T-MASS and GAID: F equal index intervals, the middle of each;
a short video repeats its last frame, so every slot is a real frame. `one_per_second` is the rule of
CLIP4Clip and AVIGATE: a frame a second, thinned to `max_frames`; a short video leaves empty slots.
Numbers stand for times only where frames come evenly at the stated rate. Where they do not (`are_even`), the
same rules are applied to times, so that the frames are spread over the clip as the rules mean it.
`every_nth` is the rule of DRL, DiCoSA and EMCL-Net, whose seconds are rounded; it has only its released form.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np

from core.errors import BenchError

Position = Literal["head", "tail", "uniform"]
"""Which of too many frames are kept: the first ones, the last ones, or evenly spread ones."""

UNEVEN_SECONDS = 0.5
"""By which a frame may be off the place that its number and the stated rate give it."""
INSTANT = 0.05
"""Seconds before a clip's end in which no further frame is taken, and by which times may be rounded."""

PADDING = -1
"""Frame number of an empty slot: no frame has it, and the mask is False there."""


Item = TypeVar("Item")


def segment_indices(total: int, frames: int) -> list[int]:
    """Frame numbers at the centres of `min(frames, total)` equal index intervals, without padding.

    Gorti et al., "X-Pool", CVPR 2022, section 4.1 ("uniformly sampled"); the rounding is the released
    code's: interval bounds are floored, and the centre is taken between its first and last frame.
    Raises `BenchError` where there is no frame to choose from or none is asked for.
    """
    if total < 1 or frames < 1:
        raise BenchError(f"cannot choose {frames} of {total} frames; both must be at least 1")
    return centres(0, total, min(frames, total))


def centres(low: float, high: float, intervals: int) -> list[int]:
    """The frame in the middle of each of some equal intervals between two frame numbers."""
    bounds = np.floor(np.linspace(low, high, intervals + 1)).astype(int)
    return [int(i) for i in (bounds[:-1] + bounds[1:] - 1) // 2]


def segment_centres(total: int, frames: int) -> list[int]:
    """`segment_indices`, with the last frame repeated up to `frames` entries where the video is short."""
    indices = segment_indices(total, frames)
    return indices + indices[-1:] * (frames - len(indices))


def one_per_second(
    total: int, fps: float, max_frames: int, position: Position = "uniform"
) -> tuple[list[int], list[bool]]:
    """Frame numbers `(max_frames,)` and mask `(max_frames,)`: one frame per second of video.

    Luo et al., "CLIP4Clip", 2021, section 4.2. As released, the rate in frames per second is cut to a
    whole number first, so 29.97 steps by 29 frames. A rate below 1, on which the released code divides
    by zero, steps by 1: every frame is taken once. Of more than `max_frames` frames, `position` says which
    stay ("uniform", the published setting: an evenly spaced choice that keeps both ends). Of fewer, empty
    slots follow with number `PADDING` and mask False; a video without frames is all padding.
    Raises `BenchError` where `max_frames` is below 1, `total` below 0, or the rate is not a positive number.
    """
    possible(total, fps, max_frames)
    return slotted(list(range(0, total, max(int(fps), 1))), max_frames, position)


def every_nth(total: int, fps: float, max_frames: int) -> tuple[list[int], list[bool]]:
    """As `one_per_second`, by steps of the rate rounded to the nearest whole number (halves to the even one).

    The rule of Wang et al., "DRL", arXiv 2203.07111, and of DiCoSA and EMCL-Net, as released: 29.97 steps by
    30 frames. A rate up to .5, for which the released code has no step, steps by 1.
    """
    possible(total, fps, max_frames)
    return slotted(list(range(0, total, rounded_step(fps))), max_frames, "uniform")


def rounded_step(fps: float) -> int:
    """Frames from one second to the next, by the rounded rate; at least 1."""
    return max(round(fps), 1)


def possible(total: int, fps: float, max_frames: int) -> None:
    """Raises `BenchError` where a rate or a number of frames is none."""
    if max_frames < 1 or total < 0 or not 0 < fps < float("inf"):
        raise BenchError(f"cannot sample {max_frames} frames from {total} frames at {fps} frames per second")


def slotted(indices: list[int], max_frames: int, position: Position) -> tuple[list[int], list[bool]]:
    """`max_frames` slots of frames, thinned where there are too many, and which of the slots are real."""
    kept = thinned(indices, max_frames, position)
    padding = max_frames - len(kept)
    return kept + [PADDING] * padding, [True] * len(kept) + [False] * padding


def are_even(times: Sequence[float], fps: float, duration: float) -> bool:
    """Whether frames come at the stated rate, from the first of them to the clip's end (seconds)."""
    if len(times) < 2:  # a single picture has no rate
        return True
    expected = times[0] + np.arange(len(times)) / fps
    off = np.abs(np.asarray(times) - expected).max()
    return bool(off <= UNEVEN_SECONDS and duration - times[-1] - 1 / fps <= UNEVEN_SECONDS)


def segment_centres_by_time(times: Sequence[float], duration: float, frames: int) -> list[int]:
    """The frames that are shown at the centres of equal parts of a clip of `duration` seconds."""
    return [shown_at(times, (part + 0.5) * duration / frames) for part in range(frames)]


def one_per_second_by_time(
    times: Sequence[float], duration: float, max_frames: int, position: Position = "uniform"
) -> tuple[list[int], list[bool]]:
    """As `one_per_second`: the frame shown in the middle of each second, from the first frame to the end."""
    seconds = np.arange(times[0], max(duration - INSTANT, times[0] + INSTANT), 1.0)
    return slotted([shown_at(times, float(second) + 0.5) for second in seconds], max_frames, position)


def shown_at(times: Sequence[float], second: float) -> int:
    """The last frame that begins up to a second; the first one before there is any."""
    return max(0, bisect_right(times, second + INSTANT / 10) - 1)


def thinned(items: list[Item], count: int, position: Position) -> list[Item]:
    """At most `count` of the frames, from the named position."""
    if len(items) <= count or position == "head":
        return items[:count]
    if position == "tail":
        return items[-count:]
    return [items[i] for i in np.linspace(0, len(items) - 1, count).astype(int)]
