"""What a method keeps of each video, on disk: the tensors of its record one by one, mapped and not read.

A record (`core.batch.Rows`) may hold others. Its tensors are written in their order; a record of one made-up
video, which the method makes anew, says where each belongs.
"""

from collections.abc import Iterator, Sequence
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

Leaves = Sequence[NDArray[np.generic]]
"""The tensors of a part, `(V, ...)` each."""


def file_of(number: int) -> str:
    """Name of the file of a tensor."""
    return f"basis-{number:02d}.npy"


def tensors_of(rows: Rows) -> list[Tensor]:
    """The tensors of a record in their order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    rows.map(note)
    return found


def write_basis(rows: Rows, folder: Path) -> None:
    """Writes the tensors of a record."""
    for number, tensor in enumerate(tensors_of(rows)):
        np.save(folder / file_of(number), tensor.cpu().numpy())


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
        tokens = torch.randn(1, size.frames, patches, size.width, generator=draw)
        videos = Videos(**{**vars(videos), "patches": tokens})
    return build_index(method, videos.to(device), engine=engine, check=False).videos


class PartBasis:
    """The tensors of a part, opened when one is first asked for."""

    def __init__(self, folder: Path, template: Rows) -> None:
        self.folder, self.template = folder, template
        self.leaves: Leaves | None = None

    def __call__(self, rows: NDArray[np.int64]) -> list[Tensor]:
        """The tensors of some rows, copied. Raises `BenchError` where they are not those of the method."""
        if self.leaves is None:
            self.leaves = list(self.opened())
        return [torch.from_numpy(np.ascontiguousarray(leaf[rows])) for leaf in self.leaves]

    def opened(self) -> Iterator[NDArray[np.generic]]:
        """The mapped tensors."""
        for number, expected in enumerate(tensors_of(self.template)):
            file = self.folder / file_of(number)
            try:
                leaf: NDArray[np.generic] = np.load(file, mmap_mode="r")
            except (OSError, ValueError) as error:
                raise BenchError(f"{file} cannot be read; build the index again elsewhere (--out)") from error
            if leaf.shape[1:] != tuple(expected.shape[1:]):
                raise BenchError(
                    f"{file} holds {leaf.shape[1:]} per video, not {tuple(expected.shape[1:])}: other code "
                    "has made it; build the index again elsewhere (--out)"
                )
            yield leaf


def with_tensors(template: Rows, tensors: Sequence[Tensor]) -> Rows:
    """The record of the template's kind with other tensors, given in their order."""
    left = iter(tensors)
    found: Rows = template.map(lambda _: next(left))
    return found
