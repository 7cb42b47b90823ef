"""What a method keeps of each video, on disk: a row of bytes per video, of which a search reads a few.

A record (`core.batch.Rows`) may hold others. A row has its tensors one behind the other in their order, so
that a video is read at one place; a record of one made-up video, which the method makes anew, says where each
of them is. Rows are read and not mapped: touching a page for the first time costs more than reading it.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.batch import Rows, Videos
from core.errors import BenchError
from core.method import Method
from core.scoring.names import Engine
from core.scoring.scoring import build_index

BASIS_FILE = "basis.bin"


def tensors_of(rows: Rows) -> list[Tensor]:
    """The tensors of a record in their order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    rows.map(note)
    return found


def row_bytes(tensor: Tensor) -> NDArray[np.uint8]:
    """The rows of a tensor `(V, ...)` as bytes, `(V, size of a row)`."""
    flat = tensor.cpu().contiguous().view(len(tensor), math.prod(tensor.shape[1:]))
    found: NDArray[np.uint8] = flat.view(torch.uint8).numpy()
    return found


def write_basis(rows: Rows, folder: Path) -> None:
    """Writes the rows of a record."""
    np.concatenate([row_bytes(tensor) for tensor in tensors_of(rows)], axis=1).tofile(folder / BASIS_FILE)


def template_of(method: Method, engine: Engine, sound: tuple[int, int] | None, patches: int) -> Rows:
    """The record of one made-up video.

    `sound` is the shape `(L, Da)` of its states, `patches` how many tokens a frame has where they are read.
    """
    size, draw = method.dimensions, torch.Generator().manual_seed(0)
    device = method.logit_scale.device
    frames = torch.randn(1, size.frames, size.width, generator=draw)
    videos = Videos(frames, torch.ones(1, size.frames, dtype=torch.bool), torch.zeros(1, dtype=torch.int64))
    if sound is not None:
        length, width = sound
        videos = Videos(
            videos.frames,
            videos.frame_mask,
            videos.keys,
            torch.randn(1, length, width, generator=draw),
            torch.tensor([length]),
            torch.tensor([True]),
        )
    if method.needs.patches:
        videos = replace(videos, patches=torch.randn(1, size.frames, patches, size.width, generator=draw))
    if method.needs.speech:
        videos = replace(videos, speech=torch.randn(1, size.words, size.width, generator=draw))
    return build_index(method, videos.to(device), engine=engine, check=False).videos


class RowLayout:
    """Where the tensors of a record are in a row of bytes."""

    def __init__(self, template: Rows) -> None:
        self.template = tensors_of(template)
        sizes = [row_bytes(tensor).shape[1] for tensor in self.template]
        self.places = np.cumsum([0, *sizes]).tolist()
        self.size: int = self.places[-1]
        """Bytes of a row."""

    def read(self, folder: Path, videos: int, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some rows `(n, size)` of a part of so many videos.

        Raises `BenchError` where the file cannot be read or its rows are not those of the method.
        """
        file, found = folder / BASIS_FILE, np.empty((len(rows), self.size), np.uint8)
        try:
            with file.open("rb", buffering=0) as opened:
                size = os.fstat(opened.fileno()).st_size
                if size != videos * self.size:
                    raise BenchError(
                        f"{file} holds {size:,} bytes, not {self.size:,} per video: other code has made it; "
                        "build the index again elsewhere (--out)"
                    )
                for row, place in zip(rows.tolist(), found, strict=True):
                    opened.seek(row * self.size)
                    opened.readinto(place.data)
        except OSError as error:
            raise BenchError(f"{file} cannot be read; build the index again elsewhere (--out)") from error
        return found

    def tensors(self, rows: NDArray[np.uint8]) -> list[Tensor]:
        """The tensors `(n, ...)` of rows of bytes `(n, size)`, copied."""
        found = []
        for start, stop, tensor in zip(self.places[:-1], self.places[1:], self.template, strict=True):
            numbers = torch.empty(len(rows), *tensor.shape[1:], dtype=tensor.dtype)
            if start < stop:  # of what is empty no bytes are kept
                numbers.view(len(rows), -1).view(torch.uint8)[:] = torch.from_numpy(rows[:, start:stop])
            found.append(numbers)
        return found


def with_tensors(template: Rows, tensors: Sequence[Tensor]) -> Rows:
    """The record of the template's kind with other tensors, given in their order."""
    left = iter(tensors)
    found: Rows = template.map(lambda _: next(left))
    return found
