"""What the units of a coded H.264 picture tell without being decoded (ITU-T H.264, section 7.3.1 and 7.4.1).

A unit's first byte holds `nal_ref_idc`, which is 0 for a picture that no other one refers to, and
`nal_unit_type`. In files with an `avcC` header each unit follows its length.
"""

from typing import Literal

PictureUse = Literal["key", "reference", "disposable"]
"""`key`: an instantaneous refresh (IDR), behind which nothing refers to what was before; `reference`: others
may refer to it; `disposable`: none does, and its packet holds nothing else that a decoder needs."""

SLICE, IDR_SLICE = 1, 5
HEADER_BYTES = 12
"""Enough for the first three fields of a slice's header."""
SLICE_TYPES, PARAMETER_SETS = 10, 256
"""How many of each H.264 knows."""
SAFE_TO_DROP = (6, 9, 12)
"""Remarks on a picture (SEI), delimiters and filler: they concern the picture that they come with."""


def length_bytes(header: bytes | None) -> int | None:
    """Bytes of a unit's length by an `avcC` header; None where units are not stored so."""
    if not header or len(header) < 7 or header[0] != 1:
        return None
    return (header[4] & 3) + 1


def picture_use(packet: memoryview, prefix: int) -> PictureUse | None:
    """How other pictures use that of a packet, whose units have a length of `prefix` bytes before them.

    None where the units do not fill the packet exactly, hold no picture or one whose first fields cannot be,
    as in a damaged file.
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
            if not _is_slice(packet[at + 1 : at + 1 + HEADER_BYTES], slices == 0):
                return None
            slices += 1
            needed |= referred > 0
            key |= kind == IDR_SLICE
        else:
            needed |= kind not in SAFE_TO_DROP
        at += length
    if not slices:
        return None
    return "key" if key else "reference" if needed else "disposable"


def _is_slice(header: memoryview, first: bool) -> bool:
    """Whether a slice can begin so: `first_mb_in_slice`, 0 in the first one, `slice_type`, and its set."""
    bits = f"{int.from_bytes(header, 'big'):0{8 * len(header)}b}"
    fields: list[int] = []
    while len(fields) < 3:
        zeros = len(bits) - len(bits.lstrip("0"))
        if len(bits) < 2 * zeros + 1 or zeros == len(bits):
            return False
        fields.append(int(bits[zeros : 2 * zeros + 1], 2) - 1)  # Exp-Golomb, section 9.1
        bits = bits[2 * zeros + 1 :]
    place, kind, parameters = fields
    return (place == 0) == first and kind < SLICE_TYPES and parameters < PARAMETER_SETS
