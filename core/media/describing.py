"""What a media file holds: whether its picture decodes, how long it is, what its sound is, what is wrong.

For a check of many files before they are decoded into a store. Picture and sound are decoded whole, because
nothing less tells damage from a whole film and digital silence from sound.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import av

from core.media.clock import origin_of
from core.media.counting import count_packets, no_picture
from core.media.decoders import Decoding, decoded
from core.media.demuxing import MediaError, Window, codec_of, inside, opened, picture_track
from core.media.listening import Heard, listen
from core.media.sound_source import SoundSource
from core.media.states import EARLY_SECONDS, States, picture_states, sound_states
from core.media.upright import TRANSPOSED, orientation_of

SoundState = Literal["with-track", "shorter", "silent", "none", "undecodable"]


@dataclass(frozen=True)
class PictureFacts:
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
    states: States = field(default_factory=dict)
    """What is wrong with the file, or its picture."""


@dataclass(frozen=True)
class SoundFacts:
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
    states: States = field(default_factory=dict)
    """What is wrong with the sound."""


@dataclass(frozen=True)
class Description:
    """What a media file, or a window of it, holds."""

    path: Path
    """The file."""
    picture: PictureFacts
    """Its best picture track."""
    sound: SoundFacts
    """Its best sound track, or that of its sound file."""


def describe(
    path: Path, start: float = 0.0, end: float | None = None, sound: SoundSource = "own track"
) -> Description:
    """What a file, or its window [start, end) in seconds, holds; never raises for what is in the file.

    The window is that of a `sound` file, too.
    """
    heard = listen(path, sound, (start, end))
    picture = describe_picture(path, (start, end), heard.sound.end)
    return Description(path, picture, describe_sound(heard, picture, (start, end)))


def describe_picture(path: Path, window: Window, sound_end: float) -> PictureFacts:
    """What the picture of a file is, beside sound that ends at some second of the window."""
    try:
        with opened(path, window[0]) as container:
            packets = count_packets(container, window)
        found, end, shape = Decoding(), 0.0, (0, 0)
        with opened(path, window[0]) as container:
            codec, track = codec_of(container, "video"), picture_track(container)
            origin = origin_of(container) + window[0]
            for unit, frame in decoded(container, [track], window[1], found):
                begins = end if frame.pts is None else frame.pts * unit - origin
                if isinstance(frame, av.VideoFrame) and inside(begins, window):
                    shape = shape if any(shape) else upright_size(frame)
                    end = max(end, begins + (frame.duration * unit or 1 / packets.fps))
        if not any(shape):
            raise no_picture(path, window, found.errors)
    except MediaError as error:
        return PictureFacts(decodable=False, reason=error.reason)
    end = end if window[1] is None else min(end, window[1] - window[0])
    states = picture_states(packets, found.tally("video"), codec, end, sound_end, window)
    return PictureFacts(True, codec, *shape, packets.fps, packets.count, end, states=states)


def upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    """Width and height of a frame as it is shown."""
    turned = orientation_of(frame) & TRANSPOSED
    return (frame.height, frame.width) if turned else (frame.width, frame.height)


def describe_sound(heard: Heard, picture: PictureFacts, window: Window) -> SoundFacts:
    """What the sound of a clip is, beside its picture."""
    sound, seconds = heard.sound, heard.sound.end
    states = sound_states(heard, "incomplete" not in picture.states, window)
    state: SoundState = STATUS_STATES[sound.status]
    if state == "with-track" and picture.decodable and seconds < picture.seconds - EARLY_SECONDS:
        reason = f"ends {picture.seconds - seconds:.1f} s before the picture"
        return SoundFacts("shorter", heard.codec, seconds, reason, states)
    return SoundFacts(state, heard.codec, seconds, sound.reason, states)


STATUS_STATES: Mapping[str, SoundState] = {
    "audible": "with-track",
    "silent": "silent",
    "no-track": "none",
    "undecodable": "undecodable",
}
"""What the status of a sound is called here."""
