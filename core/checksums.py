"""Checksums of files and of parts of them: made when they are written, compared before they are used."""

import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

BLOCK = 1 << 20
"""Bytes read at a time."""

Seen = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds: what changes when a file is written to."""


def checksum(path: Path, start: int = 0, size: int | None = None) -> int:
    """CRC-32 of a file, or of `size` bytes of it from `start`."""
    value, left = 0, size
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(BLOCK if left is None else min(BLOCK, left)):
            value = zlib.crc32(block, value)
            left = None if left is None else left - len(block)
    return value


def seen(path: Path) -> Seen:
    """What a file looks like from outside."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def digests(folder: Path, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Size in bytes and CRC-32 of those of the named files that a folder holds."""
    found = [name for name in names if (folder / name).is_file()]
    return {name: ((folder / name).stat().st_size, checksum(folder / name)) for name in found}


_verified: dict[tuple[Path, Seen], int] = {}
"""Checksums of this process, so that an unchanged file is read once."""


def first_damaged(folder: Path, expected: Mapping[str, tuple[int, int]]) -> tuple[str, str] | None:
    """The first file that is not as `digests` saw it, and how it differs; None where all are."""
    for name, (size, value) in expected.items():
        path = folder / name
        if not path.is_file():
            return name, "is missing"
        looks = seen(path)
        if looks[0] != size:
            return name, f"has {looks[0]:,} bytes, not {size:,}"
        if (path, looks) not in _verified:
            _verified[path, looks] = checksum(path)
        if _verified[path, looks] != value:
            return name, "does not have the checksum that was written"
    return None
