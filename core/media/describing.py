"""What a media file holds: whether its picture decodes, how long it is, and what became of its sound.

For a check of many files before they are decoded into a store: of the picture only the first frame
decodes and the others are counted as packets, the sound decodes whole, because nothing less tells
digital silence from sound.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from av.container import InputContainer

from core.media.demuxing import MediaError, Window, best, count_packets, first_frame, opened
from core.media.passes import NO_TRACK, read_pass
from core.media.sound_source import SoundSource, why_unheard
from core.media.waveform import SOUND_RATE, finished_sound

SoundState = Literal["with-track", "shorter", "silent", "none", "undecodable"]

SHORTER_SECONDS = 0.5
"""Sound that ends this long before the picture is reported as shorter; codecs' own padding is below."""


@dataclass(frozen=True)
class Picture:
    """What the picture of a file, or of a window of it, turned out to be."""

    decodable: bool
    """Whether at least one frame decodes."""
    codec: str = ""
    """FFmpeg's name of the codec; empty where no frame decodes."""
    width: int = 0
    """Pixels of an upright frame."""
    height: int = 0
    """Pixels of an upright frame."""
    fps: float = 0.0
    """Frames per second."""
    frames: int = 0
    """Packets of the track; damaged ones are found out in decoding only."""
    seconds: float = 0.0
    """From the start of the clip to the end of its last packet."""
    reason: str = ""
    """Why no frame decodes."""


@dataclass(frozen=True)
class Track:
    """What the sound of a file, or of a window of it, turned out to be."""

    state: SoundState
    """`with-track`: sound as long as the picture; `shorter`: it ends before; `silent`: digital silence;
    `none`: no track; `undecodable`: a track, or a whole file, that yields no sample."""
    codec: str = ""
    """FFmpeg's name of the codec; empty where there is no track."""
    seconds: float = 0.0
    """Where the sound ends, on the picture's clock."""
    reason: str = ""
    """Why the sound is missing or incomplete."""


@dataclass(frozen=True)
class Description:
    """What a media file, or a window of it, holds."""

    path: Path
    """The file."""
    picture: Picture
    """Its best picture track."""
    sound: Track
    """Its best sound track, or that of its sound file."""


def describe(
    path: Path, start: float = 0.0, end: float | None = None, sound: SoundSource = "own track"
) -> Description:
    """What a file, or its window [start, end) in seconds, holds; never raises for what is in the file.

    The window is that of a `sound` file, too. A picture of one single frame is not shorter or longer than its
    sound.
    """
    window = (start, end)
    picture = _picture(path, window)
    if sound == "own track":
        return Description(path, picture, _sound(path, window, picture))
    if isinstance(sound, Path):
        return Description(path, picture, _sound(sound, window, picture))
    return Description(path, picture, Track("none", reason=why_unheard(sound)))


def _picture(path: Path, window: Window) -> Picture:
    try:
        with opened(path, window[0]) as container:
            packets = count_packets(container, window)
        with opened(path, window[0]) as container:
            frame = first_frame(container, window)
            codec = _codec(container, "video")
    except MediaError as error:
        return Picture(decodable=False, reason=error.reason)
    width, height = frame.width, frame.height
    if frame.rotation % 180:
        width, height = height, width
    return Picture(True, codec, width, height, packets.fps, packets.count, packets.end)


def _sound(path: Path, window: Window, picture: Picture) -> Track:
    try:
        with opened(path, window[0]) as container:
            codec = _codec(container, "audio")
            found = read_pass(container, window, None, SOUND_RATE)
    except MediaError as error:
        return Track("undecodable", reason=error.reason)
    if NO_TRACK in found.errors:
        return Track("none", reason=found.errors[NO_TRACK])
    sound = finished_sound(found.sound, None, found.errors.get("audio", ""))
    seconds = found.sound.seconds if window[1] is None else min(found.sound.seconds, window[1] - window[0])
    if sound.status == "undecodable":
        return Track("undecodable", codec, reason=sound.reason)
    if sound.status == "silent":
        return Track("silent", codec, seconds, sound.reason)
    if picture.frames > 1 and seconds < picture.seconds - SHORTER_SECONDS:
        return Track("shorter", codec, seconds, f"ends {picture.seconds - seconds:.1f} s before the picture")
    return Track("with-track", codec, seconds, sound.reason)


def _codec(container: InputContainer, kind: Literal["video", "audio"]) -> str:
    stream = best(container, kind)
    return stream.codec_context.name if stream is not None and stream.codec_context else ""
