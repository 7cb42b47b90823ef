"""A file of embeddings by a frozen pair of encoders, picture and sound in one space, which training imitates.

An `.npz` archive of three arrays: `ids` `(n,)` of text, `picture` `(n, E)` and `sound` `(n, E)`; SAVE's are
ImageBind's. A video may be left out, and zeros are no embedding: the pair then plays no part.

    numpy.savez("teacher.npz", ids=names, picture=pictures, sound=sounds)
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import BenchError

ARRAYS = ("ids", "picture", "sound")


def read_teacher(file: Path, ids: Sequence[str]) -> Tensor:
    """Embeddings `(V, 2, E)` float32 of the videos `ids`, picture first; zeros for those that are left out.

    Raises `BenchError` where the file cannot be read, holds other arrays, or knows none of the videos.
    """
    arrays = read_arrays(file)
    names, both = [str(name) for name in arrays["ids"]], (arrays["picture"], arrays["sound"])
    shapes = {array.shape for array in both}
    if arrays["ids"].ndim != 1 or len(shapes) > 1 or both[0].ndim != 2 or len(names) != len(both[0]):
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise BenchError(f"{file}: holds {found}; it takes ids (n,), picture (n, E) and sound (n, E)")
    if not all(np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all() for array in both):
        raise BenchError(f"{file}: picture and sound must be finite floating-point numbers")
    if len(set(names)) < len(names):
        raise BenchError(f"{file}: a video is named twice in ids; leave one out")
    row_of = {name: row for row, name in enumerate(names)}
    known = [(place, row_of[id]) for place, id in enumerate(ids) if id in row_of]
    if not known:
        first = f"; first: '{names[0]}'" if names else ""
        raise BenchError(f"{file}: none of its {len(names):,} videos is in the data set{first}")
    out = torch.zeros(len(ids), 2, both[0].shape[1])
    places, rows = (list(part) for part in zip(*known, strict=True))
    for side, array in enumerate(both):
        out[places, side] = torch.from_numpy(array[rows].astype(np.float32))
    return out


def read_arrays(file: Path) -> dict[str, NDArray[np.generic]]:
    """The three arrays; nothing in the file is executed."""
    try:
        with np.load(file) as archive:  # without pickles, which is its default
            return {name: archive[name] for name in ARRAYS}
    except KeyError as error:
        raise BenchError(f"{file}: has no array {error}; it takes {', '.join(ARRAYS)}") from error
    except (OSError, ValueError, EOFError, BadZipFile, TypeError) as error:
        raise BenchError(f"{file}: cannot be read as an .npz archive ({error}); write it anew") from error


def teacher_key(teacher: Tensor) -> str:
    """64 hexadecimal digits over the embeddings."""
    return sha256(teacher.numpy().data).hexdigest()
