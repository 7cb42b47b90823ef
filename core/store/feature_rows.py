"""Rows of cached features that belong to the same files: taken from an earlier cache, not encoded again."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checksums import seen
from core.paths import written_whole
from core.store.feature_encoders import FeatureEncoder
from core.store.feature_sums import Sums, sums_file

VERSION = 2
"""Raised whenever the same weights would give other features."""

KnownRow = tuple[Path, int]
"""A file of features, and the row in it."""
KnownRows = Mapping[int, KnownRow]
"""Row of the store -> where its features are already."""


def family_of(encode: FeatureEncoder) -> str:
    """64 hexadecimal digits over all that features depend on, but the clips."""
    text = f"{VERSION} {encode.what} {encode.shape} {np.dtype(encode.dtype)} {encode.weights}"
    return sha256(text.encode()).hexdigest()


def keys_file(file: Path) -> Path:
    """Where the keys of the rows of a file of features are."""
    return file.with_suffix(".keys")


def write_keys(encode: FeatureEncoder, file: Path) -> None:
    """Writes the family and the keys of the rows of a file that is complete."""
    with written_whole(keys_file(file)) as temporary:
        temporary.write_text("\n".join((family_of(encode), *encode.row_keys())), encoding="utf-8")


def known_rows(encode: FeatureEncoder, file: Path) -> dict[int, KnownRow]:
    """The rows whose features another complete file of the same family has; `file` is to be written."""
    family, known = family_of(encode), dict[str, KnownRow]()
    for other in sorted(file.parent.glob(f"{encode.what}-*.keys")):
        features = other.with_suffix(".npy")
        lines = other.read_text(encoding="utf-8").split("\n")
        if lines[0] != family or features == file or not _is_undamaged(features, len(lines) - 1, encode):
            continue
        for row, key in enumerate(lines[1:]):
            known.setdefault(key, (features, row))
    keys = enumerate(encode.row_keys())
    return {row: known[key] for row, key in keys if key in known}


def taken_row(known: KnownRow) -> NDArray[Any]:
    """The features of a row that is known."""
    features, row = known
    found: NDArray[Any] = np.load(features, mmap_mode="r")[row]
    return found


def _is_undamaged(file: Path, rows: int, encode: FeatureEncoder) -> bool:
    """Whether a file has so many rows of an encoder's shape, and was not touched since it was checked."""
    try:
        features = np.load(file, mmap_mode="r")
        sums = Sums.model_validate_json(sums_file(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    whole = (features.shape, features.dtype) == ((rows, *encode.shape), np.dtype(encode.dtype))
    return whole and seen(file) == sums.checked
