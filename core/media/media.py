"""Frames and sound out of a media file, through PyAV.

Seconds count from the container's own start (plus the start of a window), the same clock for picture
and sound. Frame counts and durations are those of the frames that decode, never the header's. A
broken packet costs its own frames, not the clip. Pixels are taken as square; rotation is applied.
No file name reaches a shell, and no media file can make FFmpeg open the network.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.media.demuxing import MediaError, Window, count_packets, no_picture, opened
from core.media.describing import Description, describe
from core.media.passes import NO_TRACK, Pass, Wanted, read_pass
from core.media.sampling import one_per_second, segment_centres
from core.media.sound_source import SoundSource, why_unheard
from core.media.waveform import SOUND_RATE, Sound, WaveformBuilder, finished_sound

__all__ = [
    "Clip",
    "Description",
    "Frames",
    "MediaError",
    "Sound",
    "decode_clip",
    "decode_frames",
    "decode_sound",
    "describe",
]

Sampling = Literal["segment-centres", "one-per-second"]


@dataclass(frozen=True)
class Frames:
    """Sampled frames of a clip."""

    pixels: NDArray[np.uint8]
    """`(F, h, w, 3)` RGB; the shorter of h and w is the size that was asked for."""
    times: NDArray[np.float32]
    """`(F,)` seconds from the start of the clip."""
    mask: NDArray[np.bool_]
    """`(F,)` False for the empty slots of a short clip (black, at time 0); they come last."""
    duration: float
    """Seconds from the start of the clip to the end of its last frame."""
    fps: float
    """Frames per second that the container states, or the measured rate where it states none."""


@dataclass(frozen=True)
class Clip:
    """Picture and sound of one clip."""

    frames: Frames
    """The sampled frames."""
    sound: Sound
    """The whole sound, as long as `frames.duration`."""


def decode_clip(
    path: Path,
    *,
    sampling: Sampling,
    frames: int,
    size: int,
    start: float = 0.0,
    end: float | None = None,
    rate: int = SOUND_RATE,
    sound: SoundSource = "own track",
) -> Clip:
    """Sampled frames and mono sound of a file, or of its window [start, end) in seconds.

    The window is that of a `sound` file, too. Sound is padded with silence or cut to the picture's duration;
    a picture of one single frame lasts as long as its sound. `rate` in Hz. Raises `MediaError` where no frame
    can be decoded.
    """
    own, window = sound == "own track", (start, end)
    picture, found = _picture(path, sampling, frames, size, window, rate if own else None)
    heard = found if own else _apart(sound, window, rate)
    if len(found.times) == 1 and heard.sound.seconds > picture.duration:
        picture = replace(picture, duration=heard.sound.seconds)
    return Clip(picture, _sound(heard, picture.duration))


def decode_frames(
    path: Path, *, sampling: Sampling, frames: int, size: int, start: float = 0.0, end: float | None = None
) -> Frames:
    """Sampled frames of a file, or of its window [start, end) in seconds, short side `size` pixels.

    `segment-centres` repeats the last frame of a clip with fewer than `frames`; `one-per-second`
    spreads evenly over longer clips and leaves empty slots in shorter ones (see `core.media.sampling`).
    Raises `MediaError` where no frame can be decoded.
    """
    return _picture(path, sampling, frames, size, (start, end), None)[0]


def decode_sound(
    path: Path,
    *,
    rate: int = SOUND_RATE,
    start: float = 0.0,
    end: float | None = None,
    duration: float | None = None,
) -> Sound:
    """Mono sound of a file, or of its window [start, end) in seconds, at `rate` Hz.

    `duration` in seconds pads with silence or cuts; None keeps what the track has.
    Raises `MediaError` where the file itself cannot be opened.
    """
    with opened(path, start) as container:
        found = read_pass(container, (start, end), None, rate)
    if duration is None and end is not None:
        duration = min(end - start, found.sound.seconds)
    return _sound(found, duration)


def _apart(source: SoundSource, window: Window, rate: int) -> Pass:
    """The sound of a file apart from the picture; of none, or of one that cannot be opened, the reason."""
    if not isinstance(source, Path):
        return Pass(WaveformBuilder(rate), errors={NO_TRACK: why_unheard(source)})
    try:
        with opened(source, window[0]) as container:
            return read_pass(container, window, None, rate)
    except MediaError as error:
        return Pass(WaveformBuilder(rate), errors={"audio": error.reason})


def _sound(found: Pass, duration: float | None) -> Sound:
    if NO_TRACK in found.errors:
        return Sound(np.zeros(0, np.float32), "no-track", found.errors[NO_TRACK])
    return finished_sound(found.sound, duration, found.errors.get("audio", ""))


def _picture(
    path: Path, sampling: Sampling, frames: int, size: int, window: Window, rate: int | None
) -> tuple[Frames, Pass]:
    """The sampled frames, and the pass over the file that found them (with sound where `rate` is given)."""
    with opened(path, window[0]) as container:
        packets = count_packets(container, window)
    total, fps, position = packets.count, packets.fps, window[0]
    while True:
        slots, mask = _choose(sampling, max(total, 1), frames, fps)
        with opened(path, position) as container:
            found = read_pass(container, window, Wanted(frozenset(slots), size, fps), rate)
        if position and found.first is not None and found.first > 0:  # the file's index misled the seek
            position = 0.0
        elif len(found.times) not in (0, total):  # damaged packets gave no frame: choose among the others
            total = len(found.times)
        else:
            break
    if not found.times:
        raise no_picture(path, window, found.errors)
    pixels = np.zeros((frames, *found.kept[slots[0]].shape), np.uint8)
    times = np.zeros(frames, np.float32)
    for slot, (index, real) in enumerate(zip(slots, mask, strict=True)):
        if real:
            pixels[slot], times[slot] = found.kept[index], found.times[index]
    return Frames(pixels, times, np.array(mask), found.end, fps), found


def _choose(sampling: Sampling, total: int, frames: int, fps: float) -> tuple[list[int], list[bool]]:
    if sampling == "one-per-second":
        return one_per_second(total, fps, frames, "uniform")
    return segment_centres(total, frames), [True] * frames
