"""Checksums beside cached features, one per shard, so that a run finds damage before it trains on it."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from core.checksums import Seen, checksum, seen
from core.paths import written_whole


class Sums(BaseModel):
    """What `NAME.sums` beside `NAME.npy` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shards: tuple[int, ...]
    """CRC-32 of each shard's rows."""
    checked: Seen
    """The features' file when the checksums were last compared: it is read again only once it has changed."""


def sums_file(file: Path) -> Path:
    """Where the checksums of a file of features are."""
    return file.with_suffix(".sums")


def write_sums(file: Path, shards: Sequence[int]) -> None:
    """Writes the checksums of a file that is as it should be."""
    sums = Sums(shards=tuple(shards), checked=seen(file))
    with written_whole(sums_file(file)) as temporary:
        temporary.write_text(sums.model_dump_json(), encoding="utf-8")


def read_sums(file: Path, shards: int) -> Sums | None:
    """The checksums of a file; None where there are none that can be read."""
    try:
        sums = Sums.model_validate_json(sums_file(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError):
        return None
    return sums if len(sums.shards) == shards else None


def shard_sums(file: Path, rows: Sequence[range]) -> list[int]:
    """The CRC-32 of each shard's rows as they are."""
    features = np.load(file, mmap_mode="r")
    size = features.nbytes // len(features)
    return [checksum(file, features.offset + part.start * size, len(part) * size) for part in rows]


def damaged_shards(file: Path, sums: Sums, rows: Sequence[range]) -> list[int]:
    """The shards whose rows have changed since they were written; nothing is read of an unchanged file."""
    if seen(file) == sums.checked:
        return []
    found = shard_sums(file, rows)
    damaged = [number for number, value in enumerate(found) if value != sums.shards[number]]
    if not damaged:
        with suppress(OSError):  # a cache that is read only is read again by the next run
            write_sums(file, found)
    return damaged
