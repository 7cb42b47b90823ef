"""Frames and sound out of a media file, through PyAV.

Seconds count from the container's own start (plus the start of a window), the same clock for picture
and sound. Frame counts and durations are those of the frames that decode, never the header's. A
broken packet costs its own frames, not the clip. Pixels are taken as square; display matrices are applied.
No file name reaches a shell, and no media file can make FFmpeg open the network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from core.data_options import Reader, Sampling
from core.media.counting import Packets, count_packets, no_picture
from core.media.decoders import Decoding
from core.media.demuxing import MediaError, Window, codec_of, opened
from core.media.listening import Heard, listen
from core.media.opencv_pass import choose_and_read
from core.media.passes import Pass, Wanted, read_pass
from core.media.pictures import Picture, pixels_of
from core.media.planes import Colours
from core.media.sampling import (
    PADDING,
    are_even,
    every_nth,
    one_per_second,
    one_per_second_by_time,
    segment_centres,
    segment_centres_by_time,
)
from core.media.sound_source import SoundSource
from core.media.sparse_pass import KeptPackets, read_sparsely, why_whole
from core.media.states import States, joined_states, picture_states, sound_states
from core.media.waveform import Sound

__all__ = [
    "Clip",
    "Frames",
    "MediaError",
    "Sound",
    "decode_clip",
    "decode_frames",
    "with_picture",
]

READER_COLOURS: Mapping[Reader, Colours] = {"own": "flagged", "opencv": "opencv"}
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
    """Seconds from the start of the clip until its picture and its sound have ended."""
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
    """The sound, as its track has it (see `core.media.hearing`)."""
    states: States = field(default_factory=dict)
    """What is wrong with the file."""


def decode_clip(
    path: Path,
    *,
    sampling: Sampling,
    frames: int,
    size: int,
    start: float = 0.0,
    end: float | None = None,
    sound: SoundSource = "own track",
    reader: Reader = "own",
) -> Clip:
    """Sampled frames and sound of a file, or of its window [start, end) in seconds.

    With `reader` `opencv` the frames are those that the authors' loaders get (see `core.media.opencv`). The
    window is that of a `sound` file, too. The clip lasts until picture and sound have ended; the last frame
    stays until then. Raises `MediaError` where no frame can be decoded.
    """
    heard, window = listen(path, sound, (start, end)), (start, end)
    return with_picture(path, heard, window, sampling=sampling, frames=frames, size=size, reader=reader)


def with_picture(
    path: Path,
    heard: Heard,
    window: Window,
    *,
    sampling: Sampling,
    frames: int,
    size: int,
    reader: Reader = "own",
    whole: bool = False,
) -> Clip:
    """The clip whose sound has been read; raises `MediaError` where no frame can be decoded.

    With `whole` frames that nobody wants are decoded, too, so that damage inside them is seen.
    """
    if reader == "opencv":
        found = _opencv_picture(path, sampling, frames, size, window, heard.sound.end)
    else:
        found = _picture(path, sampling, frames, size, window, heard.sound.end, whole)
    tally = found.decoding.tally("video")
    states = picture_states(found.packets, tally, found.codec, found.end, heard.sound.end, window)
    own = sound_states(heard, "incomplete" not in states, window)
    return Clip(found.frames, heard.sound, joined_states(states, own))


def decode_frames(
    path: Path, *, sampling: Sampling, frames: int, size: int, start: float = 0.0, end: float | None = None
) -> Frames:
    """Sampled frames of a file, or of its window [start, end) in seconds, short side `size` pixels.

    `segment-centres` repeats the last frame of a clip with fewer than `frames`; `one-per-second` and
    `every-nth` spread evenly over longer clips and leave empty slots in shorter ones (see
    `core.media.sampling`).
    Raises `MediaError` where no frame can be decoded.
    """
    return _picture(path, sampling, frames, size, (start, end), 0.0).frames


@dataclass(frozen=True)
class _Found:
    """The sampled frames, and what the pass over the file found out beside them."""

    frames: Frames
    packets: Packets
    decoding: Decoding
    end: float
    """When the picture itself ends."""
    codec: str


@dataclass(frozen=True)
class _Read:
    """The frames that a rule chooses, and the pass over the file that has read them."""

    slots: list[int]
    """Number of the frame in each slot."""
    mask: list[bool]
    """Which slots hold a real frame."""
    found: Pass
    """What the pass found."""


def _picture(
    path: Path,
    sampling: Sampling,
    frames: int,
    size: int,
    window: Window,
    sound_end: float,
    whole: bool = False,
) -> _Found:
    """The frames of a clip whose sound ends at some second."""
    coded, read = KeptPackets(), None
    with opened(path, window[0]) as container:
        packets, codec = count_packets(container, window, coded.add), codec_of(container, "video")
        if not whole:
            read = _read_sparsely(container, packets, coded, sampling, frames, window, sound_end)
    read = read or _read_whole(path, packets, sampling, frames, window, sound_end)
    shown, slots, mask = read.found.picture, read.slots, read.mask
    pictures = [shown.kept[index] if real else None for index, real in zip(slots, mask, strict=True)]
    when = [shown.times[index] if real else 0 for index, real in zip(slots, mask, strict=True)]
    sampled = Frames(
        pictures,
        size,
        READER_COLOURS["own"],
        np.array(when, np.float32),
        np.array(mask),
        max(shown.end, sound_end),
        packets.fps,
    )
    return _Found(sampled, packets, read.found.decoding, shown.end, codec)


def _read_sparsely(
    container: InputContainer,
    packets: Packets,
    coded: KeptPackets,
    sampling: Sampling,
    frames: int,
    window: Window,
    sound_end: float,
) -> _Read | None:
    """The frames from as few others as possible; None where the file must be decoded whole."""
    lasts = max(packets.end, sound_end)
    if why_whole(container, packets, coded, window, lasts):
        return None
    slots, mask = _choose(sampling, packets.count, frames, packets.fps, packets.times, lasts)
    wanted = Wanted(frozenset(slots), packets.fps)
    found = read_sparsely(container, coded, packets.times, window, wanted)
    return None if found is None else _Read(slots, mask, found)


def _read_whole(
    path: Path, packets: Packets, sampling: Sampling, frames: int, window: Window, sound_end: float
) -> _Read:
    """The frames from a pass that decodes every one; raises `MediaError` where none can be decoded."""
    times, end, position, total = packets.times, packets.end, window[0], packets.count
    while True:
        timed = times if len(times) == total else ()
        slots, mask = _choose(sampling, max(total, 1), frames, packets.fps, timed, max(end, sound_end))
        with opened(path, position) as container:
            found = read_pass(container, window, Wanted(frozenset(slots), packets.fps))
        shown = found.picture
        if position and shown.first is not None and shown.first > 0:  # the file's index misled the seek
            position = 0.0
        elif len(shown.times) not in (0, total):  # damaged packets gave no frame: choose among the others
            times, total, end = tuple(shown.times), len(shown.times), shown.end
        else:
            break
    if not shown.times:
        raise no_picture(path, window, found.decoding.errors)
    return _Read(slots, mask, found)


def _opencv_picture(
    path: Path, sampling: Sampling, frames: int, size: int, window: Window, sound_end: float
) -> _Found:
    """The frames that OpenCV gives."""
    with opened(path, window[0]) as container:
        packets, codec = count_packets(container, window), codec_of(container, "video")
    chosen = choose_and_read(path, sampling, frames, window)
    found = chosen.found
    mask = np.array([slot != PADDING for slot in chosen.slots])
    pictures = [None if slot == PADDING else found.kept[slot] for slot in chosen.slots]
    times = [0 if slot == PADDING else found.shown[slot][0] - window[0] for slot in chosen.slots]
    sampled = Frames(
        pictures,
        size,
        READER_COLOURS["opencv"],
        np.array(times, np.float32),
        mask,
        max(chosen.end, sound_end),
        chosen.header.rate,
    )
    return _Found(sampled, packets, found.decoding, chosen.end, codec)


def _choose(
    sampling: Sampling, total: int, frames: int, fps: float, times: Sequence[float], duration: float
) -> tuple[list[int], list[bool]]:
    """Frame numbers and which of them are real: by number where frames come evenly, else by time."""
    if sampling == "every-nth":
        return every_nth(total, fps, frames)
    by_number = are_even(times, fps, duration)
    if sampling == "one-per-second" and by_number:
        return one_per_second(total, fps, frames)
    if sampling == "one-per-second":
        return one_per_second_by_time(times, duration, frames)
    chosen = segment_centres(total, frames) if by_number else segment_centres_by_time(times, duration, frames)
    return chosen, [True] * frames
