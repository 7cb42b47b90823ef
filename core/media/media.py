"""Frames and sound out of a media file, through PyAV.

Seconds count from the container's own start (plus the start of a window), the same clock for picture
and sound. Frame counts and durations are those of the frames that decode, never the header's. A
broken packet costs its own frames, not the clip. Pixels are taken as square; rotation is applied.
No file name reaches a shell, and no media file can make FFmpeg open the network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data_options import Reader
from core.media.demuxing import MediaError, Window, count_packets, no_picture, opened
from core.media.describing import Description, describe
from core.media.opencv_pass import choose_and_read
from core.media.passes import NO_TRACK, Pass, Wanted, read_pass
from core.media.pictures import Picture, PictureBuilder, pixels_of
from core.media.planes import Colours
from core.media.sampling import PADDING, Sampling, one_per_second, segment_centres
from core.media.sound_source import SoundSource, why_unheard
from core.media.waveform import SOUND_RATE, Sound, WaveformBuilder, finished_sound

__all__ = [
    "Clip",
    "Description",
    "Frames",
    "MediaError",
    "Sampling",
    "Sound",
    "decode_clip",
    "decode_frames",
    "decode_sound",
    "describe",
]

COLOURS: Mapping[Reader, Colours] = {"own": "flagged", "opencv": "opencv"}
"""How a reader converts colours."""


@dataclass(frozen=True)
class Frames:
    """Sampled frames of a clip."""

    pictures: Sequence[Picture | None]
    """`(F,)` as they decoded; None for an empty slot."""
    size: int
    """Short side in pixels that was asked for."""
    colours: Colours
    """How they become RGB."""
    times: NDArray[np.float32]
    """`(F,)` seconds from the start of the clip."""
    mask: NDArray[np.bool_]
    """`(F,)` False for the empty slots of a short clip (black, at time 0); they come last."""
    duration: float
    """Seconds from the start of the clip to the end of its last frame."""
    fps: float
    """Frames per second that the container states, or the measured rate where it states none."""

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """`(F, h, w, 3)` RGB, resized with antialiasing; the shorter of h and w is `size`."""
        found: NDArray[np.uint8] = pixels_of(self.pictures, self.size, "antialiased", self.colours).numpy()
        return found


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
    reader: Reader = "own",
) -> Clip:
    """Sampled frames and mono sound of a file, or of its window [start, end) in seconds.

    With `reader` `opencv` the frames are those that the authors' loaders get (see `core.media.opencv`). The
    window is that of a `sound` file, too. Sound is padded with silence or cut to the picture's duration;
    a picture of one single frame lasts as long as its sound. `rate` in Hz. Raises `MediaError` where no frame
    can be decoded.
    """
    own, window = sound == "own track", (start, end)
    if reader == "opencv":
        picture, shown = _opencv_picture(path, sampling, frames, size, window)
        heard = _apart(path if own else sound, window, rate)
    else:
        picture, found = _picture(path, sampling, frames, size, window, rate if own else None)
        shown = len(found.picture.times)
        heard = found if own else _apart(sound, window, rate)
    if shown == 1 and heard.sound.seconds > picture.duration:
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
        return _silence(rate, {NO_TRACK: why_unheard(source)})
    try:
        with opened(source, window[0]) as container:
            return read_pass(container, window, None, rate)
    except MediaError as error:
        return _silence(rate, {"audio": error.reason})


def _silence(rate: int, errors: dict[str, str]) -> Pass:
    return Pass(WaveformBuilder(rate), PictureBuilder(frozenset()), errors)


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
            found = read_pass(container, window, Wanted(frozenset(slots), fps), rate)
        shown = found.picture
        if position and shown.first is not None and shown.first > 0:  # the file's index misled the seek
            position = 0.0
        elif len(shown.times) not in (0, total):  # damaged packets gave no frame: choose among the others
            total = len(shown.times)
        else:
            break
    if not shown.times:
        raise no_picture(path, window, found.errors)
    pictures = [shown.kept[index] if real else None for index, real in zip(slots, mask, strict=True)]
    times = np.array(
        [shown.times[index] if real else 0 for index, real in zip(slots, mask, strict=True)], np.float32
    )
    return Frames(pictures, size, COLOURS["own"], times, np.array(mask), shown.end, fps), found


def _opencv_picture(
    path: Path, sampling: Sampling, frames: int, size: int, window: Window
) -> tuple[Frames, int]:
    """The frames that OpenCV gives, and how many the track has."""
    chosen = choose_and_read(path, sampling, frames, window)
    found = chosen.found
    mask = np.array([slot != PADDING for slot in chosen.slots])
    pictures = [None if slot == PADDING else found.kept[slot] for slot in chosen.slots]
    times = [0 if slot == PADDING else found.shown[slot][0] - window[0] for slot in chosen.slots]
    picture = Frames(
        pictures,
        size,
        COLOURS["opencv"],
        np.array(times, np.float32),
        mask,
        chosen.end,
        chosen.header.rate,
    )
    return picture, len(found.shown)


def _choose(sampling: Sampling, total: int, frames: int, fps: float) -> tuple[list[int], list[bool]]:
    if sampling == "one-per-second":
        return one_per_second(total, fps, frames, "uniform")
    return segment_centres(total, frames), [True] * frames
