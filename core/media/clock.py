"""The clock of a media file: seconds from the container's start, carried on where time stamps begin anew.

Files that were joined end to end (transport streams, recordings of a live stream, Ogg's links) count their
time from the beginning again in the middle. What follows such a break is shown after what came before it, so
its stamps are moved by as much, for picture and sound alike.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError

FALLS_BACK = 1.0
"""Seconds by which a track's stamps fall back where its clock has begun anew; reordering stays far below."""
LEAPS = 10.0
"""Seconds by which stamps leap ahead where a clock was exchanged, in formats that allow it."""
BLINK = 0.5
"""Seconds by which the tracks of one part may end at different times, because frames are reordered."""
EXCHANGED = ("mpegts", "mpeg")
"""Formats whose clock may begin anywhere and be exchanged on the way."""
UNSEEKABLE = (*EXCHANGED, "ogg", "aac", "mp3", "flac")
"""Formats that are read from the start: by their stamps alone a place in them cannot be found."""

UNSTAMPED = (
    "mp3",
    "mp2",
    "aac",
    "ac3",
    "eac3",
    "dts",
    "amr",
    "wav",
    "w64",
    "aiff",
    "au",
    "caf",
    "flac",
    "ape",
    "wv",
    "tta",
)
"""Formats of sound without stamps: their start is that of their sound, or the delay of their codec."""


def origin_of(container: InputContainer) -> float:
    """The container's own start, in seconds."""
    return (container.start_time or 0) / av.time_base


def origin_beside(picture: InputContainer, sound: InputContainer) -> float:
    """From which second a sound file counts that lies beside a picture.

    A track that was copied out of the picture's file keeps its late start, so its own start is no origin.
    Stamps of most formats count from the picture's beginning; those of a file that keeps the picture's own
    later origin, as tools that copy stamps leave it, count from there. A transport stream's clock begins
    anywhere, so it has only its own start, unless the picture is one, too.
    """
    own, beside = origin_of(sound), origin_of(picture)
    if sound.format.name in UNSTAMPED:
        return own
    kinds = [container.format.name in EXCHANGED for container in (picture, sound)]
    if kinds[0] != kinds[1]:
        return own if kinds[1] else 0.0
    return beside if own >= beside - FALLS_BACK / 2 else own if kinds[1] else 0.0


@dataclass
class Breaks:
    """Counts how often the clock of each track has begun anew."""

    leaps: float
    """Seconds of a leap ahead that counts as another clock."""
    _passed: dict[int, int] = field(default_factory=dict)
    _last: dict[int, float] = field(default_factory=dict)

    def passed(self, track: int, time: float) -> int:
        """Breaks that a track has passed when its next stamp, in seconds, is read."""
        last = self._last.get(track, time)
        if time < last - FALLS_BACK or time > last + self.leaps:
            self._passed[track] = self._passed.get(track, 0) + 1
        self._last[track] = time
        return self._passed.get(track, 0)


@dataclass
class Clock:
    """Moves the stamps of packets in the order in which they are read."""

    origin: float
    """The file's own start in seconds."""
    leaps: float
    """Seconds of a leap ahead that counts as another clock."""
    plan: Callable[[], list[float]]
    """Reads the file whole and says by how many seconds each of its parts is moved (see `shifts_of`)."""
    end: float = 0.0
    """Where what has been read so far ends, on the clock that is carried on."""
    _file: float = 0.0
    """Seconds by which the whole file is moved, behind the files before it."""
    _shifts: list[float] = field(default_factory=lambda: [0.0])
    _breaks: Breaks = field(init=False)
    _begun: bool = True

    def __post_init__(self) -> None:
        self._breaks = Breaks(self.leaps)

    def begin_anew(self) -> None:
        """Says that another file follows: all its tracks are shown behind what has been read."""
        self._breaks, self._shifts, self._begun = Breaks(self.leaps), [0.0], False

    def place(self, packet: "av.Packet[Any]", unit: float) -> None:
        """Moves the stamps of a packet, whose track counts in units of so many seconds."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            return
        shown = (stamp if packet.pts is None else packet.pts) * unit
        if not self._begun:
            self._file, self._begun = self.end - shown, True
        number = self._breaks.passed(packet.stream_index, stamp * unit)
        if number >= len(self._shifts):
            self._shifts = self.plan()
        shift = self._file + self._shifts[min(number, len(self._shifts) - 1)]
        self.end = max(self.end, shown + shift + (packet.duration or 0) * unit)
        moved = round(shift / unit)
        if moved:
            packet.pts = None if packet.pts is None else packet.pts + moved
            packet.dts = None if packet.dts is None else packet.dts + moved


def shifts_of(container: InputContainer, tracks: Sequence["av.stream.Stream"], leaps: float) -> list[float]:
    """By how many seconds the stamps after each break of a file are moved, to follow what was before.

    Sound decides, because a gap or an overlap is heard, unless the picture lasted longer by over a blink.
    """
    breaks, units = Breaks(leaps), {track.index: float(track.time_base or 0) for track in tracks}
    sounds = {track.index for track in tracks if track.type == "audio"}
    spans: list[dict[int, tuple[float, float]]] = []
    with suppress(FFmpegError):  # a file that breaks off has the parts that were read
        for packet in container.demux(tracks):
            stamp = packet.dts if packet.dts is not None else packet.pts
            if stamp is None or not packet.size:
                continue
            track, unit = packet.stream_index, units[packet.stream_index]
            number = breaks.passed(track, stamp * unit)
            spans += [{} for _ in range(number + 1 - len(spans))]
            first, last = spans[number].get(track, (stamp * unit, stamp * unit))
            spans[number][track] = first, max(last, (stamp + (packet.duration or 0)) * unit)
    shifts = [0.0]
    for before, after in pairwise(spans):
        steps = {track: before[track][1] - after[track][0] for track in before.keys() & after.keys()}
        heard = max((step for track, step in steps.items() if track in sounds), default=None)
        longest = max(steps.values(), default=0.0)
        step = longest if heard is None or longest > heard + BLINK else heard
        shifts.append(shifts[-1] + step)
    return shifts
