"""One pass over a media file, front to back: upright and resized frames, and the sound."""

from dataclasses import dataclass, field

import av
import numpy as np
import torch
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from core.media.demuxing import MediaError, Window, best, decoded, inside
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
    size: int
    """Short side in pixels."""
    fps: float
    """Frames per second, for files without time stamps."""


@dataclass
class Pass:
    """What one pass over a file collects; seconds count from the window's start."""

    sound: WaveformBuilder
    """The audio track, as far as it was asked for."""
    first: float | None = None
    """Time of the first frame that decoded, inside the window or before it."""
    times: list[float] = field(default_factory=list)
    """Time of every frame in the window."""
    kept: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    """The wanted frames `(h, w, 3)` by number."""
    end: float = 0.0
    """When the last frame ends."""
    errors: dict[str, str] = field(default_factory=dict)
    """The first error of the `video` and of the `audio` track, or `NO_TRACK`."""
    converter: VideoReformatter = field(default_factory=VideoReformatter)
    """Converts to RGB; kept, because setting it up costs more than a small frame."""


def read_pass(container: InputContainer, window: Window, wanted: Wanted | None, rate: int | None) -> Pass:
    """Decodes a file once, front to back: the wanted frames, and the sound at `rate` Hz.

    Raises `MediaError` where its times or its picture's shape are beyond all measure.
    """
    found = Pass(WaveformBuilder(rate or SOUND_RATE))
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
            begins = len(found.times) / wanted.fps if begins is None else begins
            shown = frame.duration * unit if frame.duration else 1 / wanted.fps
            _add_picture(found, frame, (begins, begins + shown), window, wanted)
        if max(found.end, found.sound.seconds) > LONGEST:
            raise MediaError(
                container.name, f"its time stamps reach past {LONGEST:g} s; cut it, or mend its time stamps"
            )
    return found


def _add_picture(
    found: Pass, frame: av.VideoFrame, shown: tuple[float, float], window: Window, wanted: Wanted
) -> None:
    """Counts a frame, shown from one second to another, if it lies in the window; keeps it if wanted."""
    time, end = shown
    found.first = time if found.first is None else found.first
    if not inside(time, window):
        return
    if len(found.times) in wanted.indices:
        try:
            image = found.converter.reformat(frame, format="rgb24")
        except (FFmpegError, ValueError) as error:  # a pixel format that nothing converts
            found.errors.setdefault("video", str(error))
            return
        found.kept[len(found.times)] = _upright(
            image, frame.rotation, wanted.size, next(iter(found.kept.values()), None)
        )
    found.times.append(time)
    found.end = max(found.end, end if window[1] is None else min(end, window[1] - window[0]))


def _upright(
    image: av.VideoFrame, rotation: int, size: int, like: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """An RGB frame as `(h, w, 3)`, turned by `rotation` degrees, its short side resized to `size` pixels.

    `like` is an earlier frame of the clip: a picture that changes its size on the way keeps that one's.
    """
    upright = np.rot90(image.to_ndarray(), round(rotation / 90))
    height, width = upright.shape[:2]
    short = min(height, width)
    shape = (height * size // short, width * size // short) if like is None else like.shape[:2]
    if (height, width) == shape:
        return np.ascontiguousarray(upright)
    planes = torch.from_numpy(np.ascontiguousarray(upright.transpose(2, 0, 1)))[None]
    resized = torch.nn.functional.interpolate(planes, size=shape, mode="bicubic", antialias=True)
    return resized[0].permute(1, 2, 0).contiguous().numpy()
