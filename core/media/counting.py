"""What the packets of a picture track tell before anything is decoded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from core.media.demuxing import (
    MediaError,
    Window,
    clock_of,
    inside,
    packets,
    parts,
    picture_track,
)

DEFAULT_FPS = 25.0  # for a single frame without any stated rate


ESTIMATED = ("mpegts", "mpeg", "mp3", "aac", "ac3", "eac3", "dts", "h264", "hevc", "m4v", "mpegvideo", "amr")
"""Formats without a header that states a duration: FFmpeg estimates it."""


@dataclass(frozen=True)
class Packets:
    """What the packets of a picture track tell before anything is decoded."""

    count: int
    """Packets inside the window."""
    fps: float
    """Frames per second that the container states, or the measured rate where it states none."""
    end: float
    """When the last of them ends, in seconds from the window's start."""
    times: tuple[float, ...]
    """Those that are known, in order, in seconds from the window's start."""
    stated: float | None
    """Frames per second that the container states."""
    measured: float | None
    """Frames per second by the first and the last time; None where there is only one."""
    stated_seconds: float | None
    """Seconds that the container states for the whole file; None where it only could be estimated."""
    present_seconds: float
    """Seconds of the file, from its start, whose packets are there, as far as they have been read."""


def count_packets(
    container: InputContainer, window: Window, keep: "Callable[[av.Packet[Any]], None] | None" = None
) -> Packets:
    """The video packets of the window; nothing is decoded for it.

    `keep` is called with each packet up to the window's end, also with those that are read before its start.
    Raises `MediaError` where the file has no picture track.
    """
    stream = picture_track(container)
    clock = clock_of(container)
    times: list[float | None] = []
    origin = clock.origin + window[0]
    for part, tracks in parts(container, [stream]):
        units = {track.index: float(track.time_base or 0) for track in tracks}
        for packet in packets(part, tracks, window[1], clock):
            times.append(None if packet.pts is None else packet.pts * units[packet.stream_index] - origin)
            if keep is not None:
                keep(packet)
        clock.begin_anew()
    known = sorted(time for time in times if time is not None)
    rate = stream.average_rate or stream.guessed_rate
    stated = float(rate) if rate else None
    spread = known[-1] - known[0] if known else 0.0
    measured = (len(known) - 1) / spread if spread > 0 else None
    fps = stated or measured or DEFAULT_FPS
    shown = [time for time in known if inside(time, window)]
    count = len(shown) + times.count(None)
    end = (shown[-1] if shown else (count - 1) / fps) + 1 / fps
    return Packets(
        count,
        fps,
        end if window[1] is None else min(end, window[1] - window[0]),
        tuple(shown),
        stated,
        measured,
        stated_duration(container),
        clock.end - clock.origin,
    )


def stated_duration(container: InputContainer) -> float | None:
    """Seconds that a file's header states; None where it states nothing."""
    if container.duration is None or container.format.name in ESTIMATED:
        return None
    return container.duration / av.time_base


def no_picture(path: Path | str, window: Window, errors: Mapping[str, str]) -> MediaError:
    """The error for a file of whose window no frame decodes."""
    start, end = window
    place = f" between {start:g} s and {'the end' if end is None else f'{end:g} s'}" if start or end else ""
    why = errors.get("video", "the track holds no picture there")
    return MediaError(path, f"no frame can be decoded{place}: {why}")
