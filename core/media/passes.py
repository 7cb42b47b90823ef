"""One pass over a media file, front to back: the wanted frames, and the sound."""

from dataclasses import dataclass, field

import av
from av.container import InputContainer

from core.media.demuxing import MediaError, Window, best, decoded
from core.media.pictures import PictureBuilder
from core.media.waveform import SOUND_RATE, WaveformBuilder

LONGEST = 3600.0
"""Seconds: a longer clip, or a time stamp that pretends one, is refused before it fills the memory."""
WIDEST = 20
"""Long side over short side beyond which a picture is refused: its short side would be blown up."""
NO_TRACK = "no track"
"""Key in `Pass.errors` of a clip that has no audio track."""


@dataclass(frozen=True)
class Wanted:
    """Which frames of a window a pass keeps."""

    indices: frozenset[int]
    """Numbers of the frames, counted from the first one in the window."""
    fps: float
    """Frames per second, for files without time stamps."""


@dataclass
class Pass:
    """What one pass over a file collects; seconds count from the window's start."""

    sound: WaveformBuilder
    """The audio track, as far as it was asked for."""
    picture: PictureBuilder
    """The picture track, as far as it was asked for."""
    errors: dict[str, str] = field(default_factory=dict)
    """The first error of the `video` and of the `audio` track, or `NO_TRACK`."""


def read_pass(container: InputContainer, window: Window, wanted: Wanted | None, rate: int | None) -> Pass:
    """Decodes a file once, front to back: the wanted frames, and the sound at `rate` Hz.

    Raises `MediaError` where its times or its picture's shape are beyond all measure.
    """
    builder = PictureBuilder(wanted.indices if wanted else frozenset())
    found = Pass(WaveformBuilder(rate or SOUND_RATE), builder)
    picture = best(container, "video") if wanted else None
    track = best(container, "audio", picture) if rate else None
    if rate and track is None:
        found.errors[NO_TRACK] = "no audio track"
    streams = [stream for stream in (picture, track) if stream is not None]
    origin = (container.start_time or 0) / av.time_base + window[0]
    for unit, frame in decoded(container, streams, window[1], found.errors):
        # PyAV leaves the time base out of the last frames, those that a decoder had held back.
        begins = None if frame.pts is None else frame.pts * unit - origin
        if isinstance(frame, av.AudioFrame):
            found.sound.add(frame, begins)
        elif isinstance(frame, av.VideoFrame) and wanted:
            if max(frame.width, frame.height) > WIDEST * min(frame.width, frame.height):
                raise MediaError(container.name, f"a picture of {frame.width} x {frame.height} pixels")
            begins = len(builder.times) / wanted.fps if begins is None else begins
            shown = frame.duration * unit if frame.duration else 1 / wanted.fps
            builder.add(frame, begins, begins + shown, window)
        if max(builder.end, found.sound.seconds) > LONGEST:
            raise MediaError(
                container.name, f"its time stamps reach past {LONGEST:g} s; cut it, or mend its time stamps"
            )
    if builder.error:
        found.errors.setdefault("video", builder.error)
    return found
