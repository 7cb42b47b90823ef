"""Every frame and every piece of sound of a file that decodes, and what became of the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError

from core.media.demuxing import LARGEST, Track, clock_of, packets, parts


@dataclass
class Tally:
    """What became of the packets of a track."""

    packets: int = 0
    """Packets that were to give a frame."""
    frames: int = 0
    """Frames that decoded."""
    refused: int = 0
    """Packets that the decoder refused."""
    corrupt: int = 0
    """Frames that FFmpeg has marked as corrupt."""
    interlaced: bool = False
    """Whether frames consist of two fields, which may come in packets of their own."""


@dataclass
class Decoding:
    """What came of decoding tracks, by their kind."""

    errors: dict[str, str] = field(default_factory=dict)
    """The first error of each kind of track."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """Counts of each kind of track."""

    def tally(self, kind: str) -> Tally:
        """The counts of a kind of track."""
        return self.tallies.setdefault(kind, Tally())


def decoded(
    container: InputContainer, streams: Sequence[Track], end: float | None, found: Decoding
) -> Iterator[tuple[float, av.frame.Frame]]:
    """Every frame that decodes, with its track's unit of time; what went wrong goes into `found`."""
    clock = clock_of(container)
    for part, tracks in parts(container, streams):
        usable = [stream for stream in tracks if prepare_decoder(stream, found)]
        units = {stream.index: float(stream.time_base or 0) for stream in usable}
        for packet in packets(part, usable, end, clock):
            found.tally(packet.stream.type).packets += not packet.is_discard
            for frame in _frames(packet.stream, packet, found):
                yield units[packet.stream_index], frame
        for stream in usable:
            for frame in _frames(stream, None, found):
                yield units[stream.index], frame
        clock.begin_anew()


def prepare_decoder(stream: Track, found: Decoding) -> bool:
    """Sets the decoder of a track up for one thread; whether there is one."""
    if stream.codec_context is None:
        found.errors[stream.type] = "FFmpeg has no decoder for this track"
        return False
    stream.codec_context.thread_count = 1  # the parallelism is over clips, in worker processes
    stream.codec_context.options = {"max_pixels": str(LARGEST)}
    return True


def _frames(stream: Any, packet: "av.Packet[Any] | None", found: Decoding) -> Iterator[av.frame.Frame]:
    """The frames that a decoder gives for a packet, or at the end; a broken packet costs its own."""
    tally = found.tally(stream.type)
    try:
        for frame in stream.decode(packet):
            tally.frames += 1
            tally.corrupt += frame.is_corrupt
            tally.interlaced |= isinstance(frame, av.VideoFrame) and frame.interlaced_frame
            yield frame
    except FFmpegError as error:
        tally.refused += 1
        found.errors.setdefault(stream.type, str(error.strerror))
