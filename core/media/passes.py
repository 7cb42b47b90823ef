"""One pass over a media file, front to back: the wanted frames."""

from dataclasses import dataclass, field

import av
from av.container import InputContainer

from core.media.clock import origin_of
from core.media.decoders import Decoding, decoded
from core.media.demuxing import MediaError, Window, best
from core.media.listening import LONGEST_SECONDS
from core.media.pictures import PictureBuilder

WIDEST = 20
"""Long side over short side beyond which a picture is refused: its short side would be blown up."""


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

    picture: PictureBuilder
    """The picture track, as far as it was asked for."""
    decoding: Decoding = field(default_factory=Decoding)
    """What became of the track's packets."""


def read_pass(container: InputContainer, window: Window, wanted: Wanted) -> Pass:
    """Decodes the picture of a file once, front to back, and keeps the wanted frames.

    Raises `MediaError` where its times or its picture's shape are beyond all measure.
    """
    builder = PictureBuilder(wanted.indices)
    found, track = Pass(builder), best(container, "video")
    streams = [] if track is None else [track]
    origin = origin_of(container) + window[0]
    for unit, frame in decoded(container, streams, window[1], found.decoding):
        if not isinstance(frame, av.VideoFrame):
            continue
        if max(frame.width, frame.height) > WIDEST * min(frame.width, frame.height):
            raise MediaError(container.name, f"a picture of {frame.width} x {frame.height} pixels")
        # PyAV leaves the time base out of the last frames, those that a decoder had held back.
        begins = len(builder.times) / wanted.fps if frame.pts is None else frame.pts * unit - origin
        shown = frame.duration * unit if frame.duration else 1 / wanted.fps
        builder.add(frame, begins, begins + shown, window)
        if builder.end > LONGEST_SECONDS:
            raise MediaError(
                container.name,
                f"its time stamps reach past {LONGEST_SECONDS:g} s; cut it, or fix its time stamps",
            )
    if builder.error:
        found.decoding.errors.setdefault("video", builder.error)
    return found
