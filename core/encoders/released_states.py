"""Audio encoders' states out of files, as GAID's extractor stores them: one tensor per video and file."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from torch import Tensor

from core.encoders.state_files import plain_tensor, read_content
from core.errors import BenchError

DIGESTED_TAIL = 4096
"""Bytes at a file's end that its digest covers: there torch's format lists the checksums of all contents, and
its old format has the last states."""


def read_tensor(path: Path) -> Tensor:
    """The one tensor of a file, without a gradient.

    Raises `BenchError` where the file is damaged, holds something else or numbers that are not finite, or is
    a pickle that needs more than tensors.
    """
    content = read_content(path, "states", "torch.save(torch.load(FILE, weights_only=False), NEW)")
    if not isinstance(content, Tensor):
        raise BenchError(f"{path} holds no states but {type(content).__name__}; save the bare tensor")
    states = plain_tensor(path, "content", content)
    if not states.isfinite().all():
        raise BenchError(f"{path} holds states that are not finite; extract them again")
    return states


def read_states(path: Path, encoder: str, positions: int, width: int) -> Tensor:
    """The states `(L, Da)` of a file that holds `(1, L, Da)` or `(L, Da)`.

    Raises `BenchError` as `read_tensor` does, and for another shape than the encoder of that name has.
    """
    states = read_tensor(path)
    if tuple(states.shape) not in ((1, positions, width), (positions, width)):
        raise BenchError(
            f"{path} holds states of shape {list(states.shape)}, {encoder} gives {[1, positions, width]}; "
            "name the encoder that made them with --audio-encoder"
        )
    return states.reshape(positions, width).float()


def states_digest(files: Mapping[str, Path]) -> str:
    """64 hexadecimal digits over states' files by video: files of states are all equally long."""
    value = sha256()
    for name, path in sorted(files.items()):
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - DIGESTED_TAIL))
            value.update(f"{name}\t{size}\t".encode() + file.read())
    return value.hexdigest()
