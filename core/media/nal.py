"""What the units of a coded H.264 picture tell without being decoded (ITU-T H.264, section 7.3.1 and 7.4.1).

A unit's first byte holds `nal_ref_idc`, which is 0 for a picture that no other one refers to, and
`nal_unit_type`. In files with an `avcC` header each unit follows its length.
"""

from typing import Literal

PictureUse = Literal["key", "reference", "disposable"]
"""`key`: an instantaneous refresh (IDR), behind which nothing refers to what was before; `reference`: others
may refer to it; `disposable`: none does, and its packet holds nothing else that a decoder needs."""

SLICE, IDR_SLICE = 1, 5
SAFE_TO_DROP = (6, 9, 12)
"""Remarks on a picture (SEI), delimiters and filler: they concern the picture that they come with."""


def length_bytes(header: bytes | None) -> int | None:
    """Bytes of a unit's length by an `avcC` header; None where units are not stored so."""
    if not header or len(header) < 7 or header[0] != 1:
        return None
    return (header[4] & 3) + 1


def picture_use(packet: memoryview, prefix: int) -> PictureUse | None:
    """How other pictures use that of a packet, whose units have a length of `prefix` bytes before them.

    None where the units do not fill the packet exactly or hold no whole picture, as in a damaged file.
    """
    at, size, slices, needed, key = 0, len(packet), 0, False, False
    while at < size:
        length = int.from_bytes(packet[at : at + prefix], "big")
        at += prefix
        if length < 1 or at + length > size:
            return None
        kind, referred = packet[at] & 31, packet[at] >> 5 & 3
        if packet[at] & 128:  # `forbidden_zero_bit`
            return None
        if kind in (SLICE, IDR_SLICE):
            slices += 1
            needed |= referred > 0
            key |= kind == IDR_SLICE
        else:
            needed |= kind not in SAFE_TO_DROP
        at += length
    if not slices:
        return None
    return "key" if key else "reference" if needed else "disposable"
