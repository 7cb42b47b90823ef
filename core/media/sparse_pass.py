"""A pass over an H.264 track that leaves out the frames which nobody wants and no wanted one needs.

Those are the frames that no other one refers to (ITU-T H.264, section 7.4.1, `nal_ref_idc`), about half of
those of a usual film, the groups of pictures without a wanted frame, and what follows the last wanted frame
of a group. That changes no pixel of the others. Whatever else a whole pass finds is known from the packets,
for each gives one frame: where that is not certain before (`why_whole`) or turns out to be wrong on the way,
the file is decoded whole (`core.media.passes`).

What such a pass cannot see is damage inside the pictures that it leaves out. It reaches no frame that is
chosen here, so the clip is not called damaged, where a whole pass would say so and, if the decoder refuses
such a picture, count and choose without it. A check of files (`core.media.describing`) and a look into one
(`core.media.looking`) decode every frame. Packets that are cut short or zeroed are seen here, too.
"""

from bisect import bisect, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from core.media.clock import origin_of
from core.media.counting import Packets
from core.media.decoders import Tally, prepare_decoder
from core.media.demuxing import Window, inside, picture_track
from core.media.listening import LONGEST_SECONDS
from core.media.nal import PictureUse, length_bytes, picture_use
from core.media.passes import WIDEST, Pass, Wanted
from core.media.pictures import Picture, PictureBuilder
from core.media.planes import PixelFormatError, pack
from core.media.sampling import are_even
from core.media.upright import UPRIGHT, orientation_of

MOST_BYTES = 64 * 2**20
"""Packets that are kept in memory between counting and decoding; a track with more is read again."""


@dataclass
class KeptPackets:
    """The packets of a picture track in the order of the file, as long as they are not too large."""

    packets: "list[av.Packet[Any]]" = field(default_factory=list)
    """All of them; none where they are too large."""
    size: int = 0
    """Bytes of all of them."""

    def add(self, packet: "av.Packet[Any]") -> None:
        """Keeps a packet."""
        self.size += packet.size
        if self.size > MOST_BYTES:
            self.packets.clear()
        else:
            self.packets.append(packet)


def why_whole(
    container: InputContainer, packets: Packets, kept: KeptPackets, window: Window, duration: float
) -> str:
    """Why the picture of a file must be decoded whole; empty where a sparse pass finds all the same.

    `duration` is that of the clip in seconds, as far as its packets tell.
    """
    track, coded = picture_track(container), kept.packets
    context = track.codec_context
    if not isinstance(context, av.VideoCodecContext) or context.name != "h264":
        return "only H.264 says which frames no other one needs"
    if length_bytes(context.extradata) is None:
        return "its units are not stored with their lengths"
    if not coded or not packets.times:
        return f"it has no frame there, or packets of more than {MOST_BYTES:,} bytes"
    if any(packet.is_discard or packet.is_corrupt for packet in coded):
        return "its edit list cuts frames, or packets are corrupt"
    if any(packet.has_sidedata("new_extradata") for packet in coded):
        return "its codec's header changes"
    stamps = [packet.pts for packet in coded if packet.pts is not None]
    if len(set(stamps)) < len(coded):
        return "times are missing or occur twice"
    if not coded[0].is_keyframe or min(stamps) < stamps[0]:
        return "frames before the first key frame"
    unit, origin = float(track.time_base or 0), origin_of(container)
    if window[0] and stamps[0] * unit - origin > window[0]:
        return "its index misleads the search for the window"
    if reorder_depth(stamps) > context.reorder_depth:
        return "frames come in another order than its header says"
    # Of the frames that are shown after the window only those are there that decode before its end.
    ordered = [stamp for stamp in stamps if window[1] is None or stamp * unit - origin < window[1]]
    if not (are_even(packets.times, packets.fps, duration) and are_regular(ordered)):
        return "its rate varies, or is not the stated one"
    return ""


def are_regular(stamps: Sequence[int]) -> bool:
    """Whether no frame comes half a frame too early or late behind the one that is shown before it.

    A gap may be one of lost packets, without which others do not decode as they should.
    """
    steps = np.diff(sorted(stamps))
    usual = np.median(steps) if steps.size else 0
    return bool((np.abs(steps - usual) <= usual / 2).all())


def reorder_depth(stamps: Sequence[int]) -> int:
    """How many frames at most come before one of the file that is shown before them."""
    seen: list[int] = []
    depth = 0
    for stamp in stamps:
        depth = max(depth, len(seen) - bisect(seen, stamp))
        insort(seen, stamp)
    return depth


def uses_of(container: InputContainer, kept: KeptPackets) -> list[PictureUse] | None:
    """How other frames use that of each packet; None where a packet does not tell."""
    context = picture_track(container).codec_context
    prefix = length_bytes(context.extradata) if context else None
    if prefix is None:
        return None
    found: list[PictureUse] = []
    for packet in kept.packets:
        use = picture_use(memoryview(packet), prefix)
        if use is None:
            return None
        found.append(use)
    return found


def sent_packets(uses: Sequence[PictureUse], wanted: Sequence[bool]) -> list[int]:
    """Which packets are decoded, of some in the order of the file.

    Those that are wanted, and the references that come before them in their group of pictures.

    >>> uses = ["key", "reference", "disposable", "disposable", "reference", "key", "disposable"]
    >>> sent_packets(uses, [number == 3 for number in range(7)])
    [0, 1, 3]
    """
    sent: list[int] = []
    needed = False
    for number in reversed(range(len(uses))):
        needed |= wanted[number]
        if wanted[number] or (needed and uses[number] != "disposable"):
            sent.append(number)
        if uses[number] == "key":
            needed = False
    return sent[::-1]


def read_sparsely(
    container: InputContainer, kept: KeptPackets, times: Sequence[float], window: Window, wanted: Wanted
) -> Pass | None:
    """What `read_pass` finds, from the frames that are wanted or needed by those.

    For a file of which `why_whole` says nothing, whose frames in the window begin at `times`. None where the
    decoder does not give one sound, upright, progressive frame for each packet: decode it whole then.
    """
    uses, track = uses_of(container, kept), picture_track(container)
    found = Pass(PictureBuilder(wanted.indices))
    if uses is None or not prepare_decoder(track, found.decoding):
        return None
    unit, origin = float(track.time_base or 0), origin_of(container) + window[0]
    stamps = [packet.pts or 0 for packet in kept.packets]
    begins = {stamp: stamp * unit - origin for stamp in sorted(stamps)}
    shown = [stamp for stamp, time in begins.items() if inside(time, window)]
    chosen = {stamp: number for number, stamp in enumerate(shown) if number in wanted.indices}
    for packet, stamp in zip(kept.packets, stamps, strict=True):
        ends = begins[stamp] + (packet.duration * unit if packet.duration else 1 / wanted.fps)
        if inside(begins[stamp], window):
            found.picture.end = max(found.picture.end, ends)
    if window[1] is not None:
        found.picture.end = min(found.picture.end, window[1] - window[0])
    if len(shown) != len(times) or found.picture.end > LONGEST_SECONDS:
        return None
    numbers = sent_packets(uses, [stamp in chosen for stamp in stamps])
    expected = {stamps[number]: kept.packets[number].duration for number in numbers}
    sizes = set()
    for frame in _given_frames(track, [kept.packets[number] for number in numbers]):
        if frame is None or frame.pts is None or frame.duration != expected.pop(frame.pts, None):
            return None
        sizes.add((frame.width, frame.height))
        if len(sizes) > 1 or not _is_plain(frame):
            return None
        if frame.pts in chosen:
            try:
                found.picture.kept[chosen[frame.pts]] = Picture(*pack(frame))
            except PixelFormatError:
                return None
    if expected:
        return None
    found.picture.first, found.picture.times = min(begins.values()), list(times)
    found.decoding.tallies["video"] = Tally(packets=len(stamps), frames=len(stamps))
    return found


def _given_frames(track: Any, packets: "Sequence[av.Packet[Any]]") -> Iterator[av.VideoFrame | None]:
    """The frames that a decoder gives for packets; None where it refuses one, which ends them."""
    try:
        for packet in (*packets, None):
            yield from track.decode(packet)
    except FFmpegError:
        yield None


def _is_plain(frame: av.VideoFrame) -> bool:
    """Whether a frame is sound, upright, progressive and of a usual shape."""
    usual = max(frame.width, frame.height) <= WIDEST * min(frame.width, frame.height)
    return usual and not (frame.is_corrupt or frame.interlaced_frame) and orientation_of(frame) == UPRIGHT
