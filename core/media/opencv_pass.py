"""The frames of a file that the authors' loaders get from OpenCV: predicted from packets, then confirmed.

The first picture track counts, not FFmpeg's choice, and its frames are numbered through the whole file, in
the order in which the decoder puts them out.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from core.data_options import Sampling
from core.media.clock import origin_of
from core.media.counting import no_picture
from core.media.decoders import Decoding, decoded
from core.media.demuxing import NO_PICTURE, MediaError, Track, Window, clock_of, inside, opened, packets
from core.media.listening import LONGEST_SECONDS
from core.media.opencv import ContainerHeader, Read, Timeline, nth_reads, second_reads, segment_reads
from core.media.passes import WIDEST
from core.media.pictures import Picture
from core.media.planes import PixelFormatError, pack
from core.media.sampling import PADDING

HINT = "pass --set data.reader=own"


@dataclass
class Numbered:
    """What a pass over the whole first picture track found."""

    timeline: Timeline
    """Times from the track's start, and key frames."""
    shown: list[tuple[float, float]] = field(default_factory=list)
    """When each frame begins and ends, on the container's clock."""
    kept: dict[int, Picture] = field(default_factory=dict)
    """The wanted frames by number."""
    decoding: Decoding = field(default_factory=Decoding)
    """What became of the track's packets."""


@dataclass(frozen=True)
class Chosen:
    """The frames of a clip as OpenCV reads them."""

    reads: list[Read]
    """What was asked for and read."""
    slots: list[int]
    """Number of the frame in each slot; `PADDING` for an empty one."""
    found: Numbered
    """Where they are."""
    header: ContainerHeader
    """What the container states."""
    end: float
    """When the last frame of the window ends, in seconds from its start."""


def choose_and_read(path: Path, sampling: Sampling, frames: int, window: Window) -> Chosen:
    """The frames that a loader which asks OpenCV for frame numbers gets.

    Raises `MediaError` where no frame decodes, and where the authors' code would stop: a file without a
    number of frames, a rate below one for `one-per-second`, a read that fails for `segment-centres`.
    """
    with opened(path, 0.0) as container:
        header = ContainerHeader.of(_usable(container))
        timeline = _from_packets(container)
    if header.count < 1 or header.rate <= 0:
        raise MediaError(path, f"states neither frames nor a duration, so OpenCV numbers none; {HINT}")
    if sampling == "one-per-second" and header.rate < 1:
        raise MediaError(
            path, f"has {header.rate:g} frames a second, by which the authors' step is 0; {HINT}"
        )
    while True:
        reads = _reads(path, sampling, timeline, header, frames, window)
        slots = [read.landed for read in reads if read.landed is not None]
        with opened(path, 0.0) as container:
            found = _numbered(container, frozenset(slots), header.rate)
        if not found.shown:
            raise no_picture(path, window, found.decoding.errors)
        if reads == _reads(path, sampling, found.timeline, header, frames, window):
            break
        timeline = found.timeline  # damaged packets gave no frame, or key frames are others than packets say
    ends = [end for begin, end in found.shown if inside(begin - window[0], window)] or [window[0]]
    last = max(ends) - window[0]
    if window[1] is not None:
        last = min(last, window[1] - window[0])
    # A short clip repeats its last picture under `segment-centres`, and leaves slots empty otherwise.
    rest = slots[-1] if sampling == "segment-centres" else PADDING
    return Chosen(reads, slots + [rest] * (frames - len(slots)), found, header, last)


def _reads(
    path: Path, sampling: Sampling, timeline: Timeline, header: ContainerHeader, frames: int, window: Window
) -> list[Read]:
    if sampling == "one-per-second":
        return second_reads(timeline, header, frames, window)
    if sampling == "every-nth":
        return nth_reads(timeline, header, frames, window)
    reads = segment_reads(timeline, header, frames, window)
    failed = [read.asked for read in reads if read.landed is None]
    if failed:
        raise MediaError(
            path,
            f"OpenCV reads no frame {failed[0]}: {len(timeline.times)} of {header.count} stated frames "
            f"decode; {HINT}",
        )
    return reads


def _usable(container: InputContainer) -> InputContainer:
    if not container.streams.video:
        raise MediaError(container.name, NO_PICTURE)
    return container


def _from_packets(container: InputContainer) -> Timeline:
    """Times and key frames as the packets tell them, in the order in which frames are shown."""
    stream: Track = container.streams.video[0]
    seen = [
        (packet.pts, packet.is_keyframe) for packet in packets(container, [stream], None, clock_of(container))
    ]
    return _timeline(stream, sorted((pts, key) for pts, key in seen if pts is not None))


def _timeline(stream: Any, frames: list[tuple[int, bool]]) -> Timeline:
    unit, start = float(stream.time_base or 0), stream.start_time or 0
    return Timeline([(pts - start) * unit for pts, _ in frames], [key for _, key in frames])


def _numbered(container: InputContainer, wanted: frozenset[int], rate: float) -> Numbered:
    """Decodes the first picture track from front to back."""
    stream: Track = container.streams.video[0]
    origin = origin_of(container)
    frames: list[tuple[int, bool]] = []
    found = Numbered(Timeline([], []))
    unit = float(stream.time_base or 0)
    for _, frame in decoded(container, [stream], None, found.decoding):
        if not isinstance(frame, av.VideoFrame):
            continue
        if max(frame.width, frame.height) > WIDEST * min(frame.width, frame.height):
            raise MediaError(container.name, f"a picture of {frame.width} x {frame.height} pixels")
        number = len(frames)
        pts = frame.pts if frame.pts is not None else round(number / rate / unit) + (stream.start_time or 0)
        if number in wanted:
            try:
                found.kept[number] = Picture(*pack(frame))
            except PixelFormatError as error:
                raise MediaError(container.name, str(error)) from error
        frames.append((pts, bool(frame.key_frame)))
        begin = pts * unit - origin
        found.shown.append((begin, begin + (frame.duration * unit if frame.duration else 1 / rate)))
        if begin > LONGEST_SECONDS:
            raise MediaError(container.name, f"its time stamps reach past {LONGEST_SECONDS:g} s; cut it")
    found.timeline = _timeline(stream, frames)
    return found
