"""Which frames OpenCV hands over for a frame number: what the authors' loaders see.

`CAP_PROP_POS_FRAMES` seeks by time and counts frames only from a key frame whose own number it guesses from
its time. With a constant rate that gives the frame that was asked for, with a variable one another. The times
and key frames of the first picture track decide it, so nothing is ever sought (OpenCV 4.7.0).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import av
from av.container import InputContainer

from core.media.demuxing import Window
from core.media.sampling import centres, rounded_step, thinned

SAME_TIME = 1e-9
"""Seconds: times are multiples of a track's unit, and sums of them are rounded."""
FIRST_LEAP = 16
"""Frames before the wanted one where OpenCV first looks for a key frame."""


@dataclass(frozen=True)
class ContainerHeader:
    """What OpenCV states about a file, before anything is decoded."""

    count: int
    """Frames: the header's number, or duration x rate where it states none."""
    rate: float
    """Frames per second, on average."""

    @classmethod
    def of(cls, container: InputContainer) -> "ContainerHeader":
        """Of the first picture track; a count of 0 where the file states neither frames nor duration."""
        stream = container.streams.video[0]
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        if stream.frames:
            return cls(stream.frames, rate)
        if container.duration:
            seconds = container.duration / av.time_base
        else:
            seconds = float((stream.duration or 0) * (stream.time_base or 0))
        return cls(math.floor(seconds * rate + 0.5), rate)


@dataclass(frozen=True)
class Timeline:
    """The frames of a track in the order in which the decoder puts them out."""

    times: Sequence[float]
    """Seconds from the track's own start."""
    keys: Sequence[bool]
    """Which of them are key frames."""

    def landing(self, wanted: int, header: ContainerHeader) -> int | None:
        """The frame that OpenCV reads when number `wanted` is asked for; None: the read fails."""
        target = min(wanted, header.count)
        landed = self._counted(target, header.rate) if target else 0
        return landed if landed < len(self.times) else None

    def _counted(self, target: int, rate: float) -> int:
        """Counted from the last key frame that has, by its time, a number before the target's."""
        origin = max(0, _number(self.times[0], rate)) if self.times else 0
        leap = FIRST_LEAP
        while True:
            before = max(target - leap, 0)
            key = self._key_before(before / rate)
            if target == 1:
                return key + 1
            guessed = _number(self.times[key], rate) - origin if self.times else 0
            if 0 <= guessed <= target - 1:
                return key + target - guessed
            if before == 0:
                return key + 1
            leap = leap * 3 // 2

    def _key_before(self, seconds: float) -> int:
        """The last key frame at or before a time; the first one where there is none."""
        keys = [number for number, key in enumerate(self.keys) if key] or [0]
        earlier = [number for number in keys if self.times[number] <= seconds + SAME_TIME]
        return earlier[-1] if earlier else keys[0]


def _number(seconds: float, rate: float) -> int:
    return math.floor(rate * seconds + 0.5)


@dataclass(frozen=True)
class Read:
    """A frame that a loader asked for."""

    asked: int
    """Number that it passed to OpenCV."""
    landed: int | None
    """Number of the frame that came back, as the decoder counts; None: the read failed."""


def segment_reads(timeline: Timeline, header: ContainerHeader, frames: int, window: Window) -> list[Read]:
    """The centres of at most `frames` equal index intervals (X-Pool, T-MASS, GAID).

    A read that fails ends the authors' run.
    """
    low, high = _bounds(header, window)
    numbers = centres(low, high, max(1, min(frames, int(high - low))))
    return [Read(number, timeline.landing(number, header)) for number in numbers]


def second_reads(timeline: Timeline, header: ContainerHeader, frames: int, window: Window) -> list[Read]:
    """A frame a second up to the first read that fails, thinned to `frames` (CLIP4Clip, AVIGATE)."""
    return _stepped(timeline, header, frames, window, int(header.rate))


def nth_reads(timeline: Timeline, header: ContainerHeader, frames: int, window: Window) -> list[Read]:
    """As `second_reads`, by steps of the rounded rate; no authors' loader asks OpenCV for these."""
    return _stepped(timeline, header, frames, window, rounded_step(header.rate))


def _stepped(
    timeline: Timeline, header: ContainerHeader, frames: int, window: Window, step: int
) -> list[Read]:
    last = -(-header.count // step)
    begin, end = window
    found = []
    for second in range(math.floor(begin), (last if end is None else min(last, math.floor(end))) + 1):
        read = Read(second * step, timeline.landing(second * step, header))
        if read.landed is None:
            break
        found.append(read)
    return thinned(found, frames, "uniform")


def _bounds(header: ContainerHeader, window: Window) -> tuple[float, float]:
    """First and last frame number of a window, not rounded (T-MASS's DiDeMo loader)."""
    begin, end = window
    if end is None and not begin:
        return 0, header.count
    last = header.count / header.rate if end is None else min(end, header.count / header.rate)
    return begin * header.rate, last * header.rate
