"""Where and how a store keeps its clips: names of files, columns of its table, and how those are read."""

from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from core.media.planes import PlaneLayout

LAYOUT = ["format", "width", "height", "space", "range", "orientation", "rotation"]
"""Columns that say how a clip's frames are read."""
JPEG_COLUMNS = {"jpeg_bytes": pa.list_(pa.int64()), "jpeg_error": pa.float64()}
"""Columns of a store of JPEG files: the size of each frame's, and what they lose (see `core.store.jpeg`)."""


def shard_files(number: int) -> tuple[str, str]:
    """Names of a shard's pixel file and sound file."""
    return f"pixels-{number:05d}.npy", f"sound-{number:05d}.npy"


def place_columns(table: pa.Table, frames: int, *, jpeg: bool) -> dict[str, NDArray[Any]]:
    """Where each clip is in its shard's files, and how large; of JPEG files, what each frame's takes."""
    names = ("large", "pixels_at", "sound_at", "samples", "planes")
    columns = {name: column_numbers(table, name) for name in names}
    if jpeg:
        columns |= {name: column_numbers(table, name) for name in JPEG_COLUMNS}
        columns["jpeg_bytes"] = columns["jpeg_bytes"].reshape(-1, frames)
    return columns


def kept_layout(row: dict[str, Any]) -> PlaneLayout | None:
    """The layout that the columns `LAYOUT` of a row state; None where there is none."""
    return PlaneLayout(**row) if row["format"] else None


def column_numbers(table: pa.Table, column: str) -> NDArray[Any]:
    """A numeric column as an array; lists are laid end to end."""
    values = table[column].combine_chunks()
    if pa.types.is_list(values.type):
        values = values.flatten()
    array: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return array
