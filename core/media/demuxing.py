"""Media files through PyAV: opening one, its packets, and every frame and sound that decodes.

Seconds count from the container's own start plus the start of a window, the same clock for picture
and sound. A broken packet costs its own frames, not the clip. No file name reaches a shell, and no
media file can make FFmpeg open the network.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EINVAL
from pathlib import Path
from time import thread_time
from typing import Any, Literal

import av
from av.container import InputContainer
from av.error import FFmpegError

from core.errors import BenchError

Track = av.VideoStream | av.AudioStream
Window = tuple[float, float | None]
"""Start and end in seconds; None: to the end of the file."""

PREROLL = 1.0  # seconds read before a window, so that audio decoders have settled when it begins
DEFAULT_FPS = 25.0  # for a single frame without any stated rate
PATIENCE = 300.0
"""Seconds of this thread's processor time that one pass over a file may take."""
FORMATS = (
    "mov,matroska,avi,asf,flv,mpeg,mpegts,mpegvideo,ogg,rm,mxf,gxf,nut,ivf,dv,wtv,nsv,swf,yuv4mpegpipe,m4v,"
    "h263,h264,hevc,vvc,av1,obu,vc1,dirac,dnxhd,mjpeg,mjpeg_2000,gif,apng,jpegxl_anim,webp,"
    "wav,w64,aiff,au,caf,flac,mp2,mp3,aac,ac3,eac3,dts,amr,ape,wv,tta,tak,truehd,mlp,voc,oma,qoa,"
    "bmp_pipe,dpx_pipe,exr_pipe,gif_pipe,hdr_pipe,j2k_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe,pam_pipe,"
    "pbm_pipe,pcx_pipe,pgm_pipe,png_pipe,ppm_pipe,psd_pipe,qoi_pipe,sgi_pipe,sunrast_pipe,tiff_pipe,"
    "webp_pipe,xbm_pipe,xpm_pipe,xwd_pipe"
)
"""FFmpeg's formats that are read. None of them names other files, as playlists (hls, dash, concat, sdp,
image2, imf, ...) and recordings in several files (mlv, vobsub) do, nor devices."""
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS, "enable_drefs": "0"}
"""What FFmpeg may open: one file. QuickTime's references to other files are off, as they are by default."""
LARGEST = 64 * 2**20
"""Pixels of a frame beyond which its codec refuses it (8K has half as many)."""


class MediaError(BenchError):
    """A media file that cannot be used: the line names the file and the reason."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(path, reason)
        self.reason = reason

    def __str__(self) -> str:
        return "{}: {}".format(*self.args)


@dataclass(frozen=True)
class Packets:
    """What the packets of a picture track tell before anything is decoded."""

    count: int
    """Packets inside the window."""
    fps: float
    """Frames per second that the container states, or the measured rate where it states none."""
    end: float
    """When the last of them ends, in seconds from the window's start."""


def inside(time: float, window: Window) -> bool:
    """Whether a time, counted from the window's start, lies in the window (to a tenth of a millisecond)."""
    start, end = window
    return time > -1e-4 and (end is None or time < end - start - 1e-4)


@contextmanager
def opened(path: Path, start: float) -> Iterator[InputContainer]:
    """The open file, positioned so that every frame from second `start` on is still to come."""
    try:
        if not path.is_file():  # a pipe or a device would block
            raise MediaError(path, "no such file")
        # An absolute path is never taken for a protocol, whatever its name begins with.
        container = av.open(str(path.resolve()), options=OPTIONS, metadata_errors="ignore")
    except (FFmpegError, OSError) as error:
        reason = "a playlist or a format that is not read" if error.errno == EINVAL else error.strerror
        raise MediaError(path, f"not a readable media file ({reason})") from error
    with container:
        if start > PREROLL:
            target = round((start - PREROLL) * av.time_base) + (container.start_time or 0)
            try:
                container.seek(target, backward=True)
            except FFmpegError:
                container.seek(0)
        yield container


def best(
    container: InputContainer, kind: Literal["video", "audio"], related: Track | None = None
) -> Track | None:
    """FFmpeg's choice among a file's tracks of a kind; cover art is no choice where there is a film."""
    stream = container.streams.best(kind, related)
    return stream if isinstance(stream, Track) else None


def packets(
    container: InputContainer, streams: Sequence[Track], end: float | None
) -> "Iterator[av.Packet[Any]]":
    """The packets of some streams until all of them have passed second `end`, or the file breaks off."""
    origin = (container.start_time or 0) / av.time_base
    units = {stream.index: float(stream.time_base or 0) for stream in streams}
    passed: set[int] = set()
    demuxer = container.demux(streams)
    begun = thread_time()
    while len(passed) < len(streams):
        if thread_time() - begun > PATIENCE:
            raise MediaError(
                container.name, f"reading takes more than {PATIENCE:g} s of processor time; cut it"
            )
        try:
            packet = next(demuxer)
        except (StopIteration, FFmpegError):
            return
        decoded_at = packet.dts if packet.dts is not None else packet.pts
        if (
            end is not None
            and decoded_at is not None
            and decoded_at * units[packet.stream_index] - origin >= end
        ):
            passed.add(packet.stream_index)
        elif packet.size:
            yield packet


def count_packets(container: InputContainer, window: Window) -> Packets:
    """The video packets of the window; nothing is decoded for it.

    Raises `MediaError` where the file has no picture track.
    """
    stream = _picture_track(container)
    origin = (container.start_time or 0) / av.time_base + window[0]
    unit = float(stream.time_base or 0)
    times = [
        None if packet.pts is None else packet.pts * unit - origin
        for packet in packets(container, [stream], window[1])
    ]
    known = sorted(time for time in times if time is not None)
    stated = stream.average_rate or stream.guessed_rate
    if stated:
        fps = float(stated)
    elif len(known) > 1 and known[-1] > known[0]:
        fps = (len(known) - 1) / (known[-1] - known[0])
    else:
        fps = DEFAULT_FPS
    shown = [time for time in known if inside(time, window)]
    count = len(shown) + times.count(None)
    end = (shown[-1] if shown else (count - 1) / fps) + 1 / fps
    return Packets(count, fps, end if window[1] is None else min(end, window[1] - window[0]))


def first_frame(container: InputContainer, window: Window) -> av.VideoFrame:
    """The first frame of the window that decodes.

    Raises `MediaError` where there is none.
    """
    stream = _picture_track(container)
    origin = (container.start_time or 0) / av.time_base + window[0]
    errors: dict[str, str] = {}
    for unit, frame in decoded(container, [stream], window[1], errors):
        outside = frame.pts is not None and not inside(frame.pts * unit - origin, window)
        if isinstance(frame, av.VideoFrame) and not outside:
            return frame
    raise no_picture(container.name, window, errors)


def no_picture(path: Path | str, window: Window, errors: Mapping[str, str]) -> MediaError:
    """The error for a file of whose window no frame decodes."""
    start, end = window
    place = f" between {start:g} s and {'the end' if end is None else f'{end:g} s'}" if start or end else ""
    why = errors.get("video", "the track holds no picture there")
    return MediaError(path, f"no frame can be decoded{place}: {why}")


def _picture_track(container: InputContainer) -> Track:
    stream = best(container, "video")
    if stream is None:
        raise MediaError(container.name, "holds no picture track")
    return stream


def decoded(
    container: InputContainer, streams: Sequence[Track], end: float | None, errors: dict[str, str]
) -> Iterator[tuple[float, av.frame.Frame]]:
    """Every frame that decodes, with its track's unit of time; a track's first error goes into `errors`."""
    for stream in streams:
        if stream.codec_context is None:
            errors[stream.type] = "FFmpeg has no decoder for this track"
        else:
            stream.codec_context.thread_count = 1  # the parallelism is over clips, in worker processes
            stream.codec_context.options = {"max_pixels": str(LARGEST)}
    usable = [stream for stream in streams if stream.codec_context is not None]
    work = itertools.chain(
        ((packet.stream, packet) for packet in packets(container, usable, end)),
        ((stream, None) for stream in usable),
    )
    units = {stream.index: float(stream.time_base or 0) for stream in usable}
    for stream, packet in work:
        try:
            for frame in stream.decode(packet):
                yield units[stream.index], frame
        except FFmpegError as error:
            errors.setdefault(stream.type, str(error.strerror))
