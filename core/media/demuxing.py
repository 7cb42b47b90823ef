"""Media files through PyAV: opening one, its packets, and every frame and sound that decodes.

Seconds count from the container's own start plus the start of a window, the same clock for picture
and sound. A broken packet costs its own frames, not the clip. No file name reaches a shell, and no
media file can make FFmpeg open the network.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EINVAL
from itertools import count
from pathlib import Path
from time import thread_time
from typing import Any, Literal

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition

from core.errors import BenchError
from core.media.clock import EXCHANGED, LEAPS, UNSEEKABLE, Clock, origin_of, shifts_of
from core.media.links import Link, links_of

Track = av.VideoStream | av.AudioStream
TrackKind = Literal["video", "audio"]
Window = tuple[float, float | None]
"""Start and end in seconds; None: to the end of the file."""

PREROLL = 1.0  # seconds read before a window, so that audio decoders have settled when it begins
PATIENCE = 300.0
"""Seconds of this thread's processor time that one pass over a file may take."""
CLOCK_PACKETS = 64
"""Packets between two looks at that time: a look costs as much as a packet."""
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
NO_PICTURE = "holds no picture track"
NO_FILM = "no moving picture"
"""How the reason begins for a file whose only picture is attached to its sound."""
LARGEST = 64 * 2**20
"""Pixels of a frame beyond which its codec refuses it (8K has half as many)."""


class MediaError(BenchError):
    """A media file that cannot be used: the line names the file and the reason."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(path, reason)
        self.reason = reason

    def __str__(self) -> str:
        return "{}: {}".format(*self.args)


def inside(time: float, window: Window) -> bool:
    """Whether a time, counted from the window's start, lies in the window (to a tenth of a millisecond)."""
    start, end = window
    return time > -1e-4 and (end is None or time < end - start - 1e-4)


@contextmanager
def opened(path: Path, start: float = 0.0) -> Iterator[InputContainer]:
    """The open file, positioned so that every frame from second `start` on is still to come.

    Of a chained Ogg file it is the first link; `decoded` goes on to the others.
    """
    try:
        if not path.is_file():  # a pipe or a device would block
            raise MediaError(path, "no such file")
        links = links_of(path)
        container = open_link(links[0]) if links else open_file(path)
    except (FFmpegError, OSError) as error:
        reason = "a playlist or a format that is not read" if error.errno == EINVAL else error.strerror
        raise MediaError(path, f"not a readable media file ({reason})") from error
    if start > PREROLL and container.format.name not in UNSEEKABLE:
        target = round((start - PREROLL) * av.time_base) + (container.start_time or 0)
        try:
            container.seek(target, backward=True)
        except FFmpegError:  # its index is damaged, so that not even the start may be found again
            container.close()
            container = open_file(path)
    with container:
        yield container


def open_file(path: Path) -> InputContainer:
    """A file; an absolute path is never taken for a protocol, whatever its name begins with."""
    return av.open(str(path.resolve()), options=OPTIONS, metadata_errors="ignore")


def open_link(link: Link) -> InputContainer:
    """A link of a chained Ogg file."""
    return av.open(link.open(), "r", format="ogg", options=OPTIONS, metadata_errors="ignore")


def best(container: InputContainer, kind: TrackKind) -> Track | None:
    """The track of a kind that is seen or heard; an attached picture is none.

    Of pictures FFmpeg's choice; of sounds that of its command line: a track that is marked as the default
    before others, then the most channels, then the first.
    """
    if kind == "video":
        stream = container.streams.best(kind)
        return stream if isinstance(stream, Track) and not is_attached(stream) else None
    tracks = [track for track in container.streams.audio if track.codec_context]
    if not tracks:  # of sounds that no decoder takes, any can say so
        return next(iter(container.streams.audio), None)
    return max(
        tracks,
        key=lambda track: (bool(track.disposition & Disposition.default), track.channels),
    )


def codec_of(container: InputContainer, kind: TrackKind) -> str:
    """FFmpeg's name of the codec of the best track of a kind; empty where there is none."""
    stream = best(container, kind)
    return stream.codec_context.name if stream is not None and stream.codec_context else ""


def is_attached(stream: "av.stream.Stream") -> bool:
    """Whether a track is a picture that is attached to the file, such as the cover of a record."""
    return bool(stream.disposition & Disposition.attached_pic)


def parts(
    container: InputContainer, streams: Sequence[Track]
) -> Iterator[tuple[InputContainer, Sequence[Track]]]:
    """The open file with the wanted tracks, then the further links of a chained Ogg file with theirs."""
    yield container, streams
    if container.format.name != "ogg":
        return
    for link in links_of(Path(container.name))[1:]:
        try:
            opened_link = open_link(link)
        except FFmpegError:
            return
        with opened_link:
            found = [best(opened_link, stream.type) for stream in streams]
            yield opened_link, [stream for stream in found if stream is not None]


def clock_of(container: InputContainer) -> Clock:
    """The clock of a file that is read from its beginning."""
    leaps = LEAPS if container.format.name in EXCHANGED else float("inf")

    def plan() -> list[float]:
        with open_file(Path(container.name)) as whole:
            return shifts_of(whole, picture_and_sound(whole), leaps)

    return Clock(origin_of(container), leaps, plan)


def picture_and_sound(container: InputContainer) -> list[Track]:
    """The best track of each kind."""
    return [track for track in (best(container, "video"), best(container, "audio")) if track is not None]


def packets(
    container: InputContainer, streams: Sequence[Track], end: float | None, clock: Clock
) -> "Iterator[av.Packet[Any]]":
    """The packets of some tracks until all of them have passed second `end`, or the file breaks off.

    Their stamps are carried on where the file's clock begins anew. Picture and sound are read, whichever of
    them is wanted, because the clock is that of both.
    """
    read = list({stream.index: stream for stream in (*streams, *picture_and_sound(container))}.values())
    wanted, units = {stream.index for stream in streams}, {s.index: float(s.time_base or 0) for s in read}
    passed: set[int] = set()
    demuxer = container.demux(read)
    begun = thread_time()
    for number in count():
        if wanted <= passed:
            return
        if number % CLOCK_PACKETS == 0 and thread_time() - begun > PATIENCE:
            raise MediaError(
                container.name, f"reading takes more than {PATIENCE:g} s of processor time; cut it"
            )
        try:
            packet = next(demuxer)
        except (StopIteration, FFmpegError):
            return
        if not packet.size:
            continue
        index = packet.stream_index
        clock.place(packet, units[index])
        decoded_at = packet.dts if packet.dts is not None else packet.pts
        if end is not None and decoded_at is not None and decoded_at * units[index] - clock.origin >= end:
            passed.add(index)
        elif index in wanted:
            yield packet


def picture_track(container: InputContainer) -> Track:
    """The track whose frames are shown; raises `MediaError` where there is none."""
    stream = best(container, "video")
    if stream is None:
        attached = any(map(is_attached, container.streams.video))
        raise MediaError(container.name, f"{NO_FILM}: an attached cover" if attached else NO_PICTURE)
    return stream
