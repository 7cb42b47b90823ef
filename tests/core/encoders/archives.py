"""TorchScript archives as strangers save them, and what reads weights out of files."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from core.encoders.released_states import read_states
from core.encoders.state_files import read_state
from core.encoders.towers import open_towers

READERS: dict[str, Callable[[Path], object]] = {
    "checkpoint": read_state,
    "states": lambda path: read_states(path, "whisper-base", 6, 4),
    "backbone": open_towers,
}


class Block(nn.Module):
    """Parameters, buffers of several types, and tensors that belong to no state."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.linear = nn.Linear(4, 4, bias=False)
        self.attribute = torch.ones(2)
        self.sizes = [1, 2]

    def forward(self, x: Tensor) -> Tensor:
        """Anything that reads all of them."""
        y: Tensor = self.linear(self.norm(x)) + self.attribute.sum() + self.sizes[0]
        return y


class Model(nn.Module):
    """Modules in lists, a module under two names, half precision and a view of another tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.again = self.blocks[0]
        self.scales = nn.Parameter(torch.randn(3).half())
        self.register_buffer("flags", torch.tensor([True, False]))
        self.register_buffer("column", torch.arange(12.0).reshape(3, 4)[:, 1])

    def forward(self, x: Tensor) -> Tensor:
        """Through all blocks."""
        for block in self.blocks:
            x = block(x)
        y: Tensor = self.again(x)
        return y


def scripted(path: Path) -> nn.Module:
    """A model saved as a TorchScript archive."""
    model = Model().eval()
    torch.jit.save(torch.jit.script(model), path)
    return model


def traced(path: Path) -> nn.Module:
    """The same by tracing, as OpenAI's archives were made."""
    model = Model().eval()
    torch.jit.save(torch.jit.trace(model, torch.ones(2, 4)), path)
    return model


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of an archive with every entry changed, or left out."""
    copy = path.with_name(f"copy-{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for entry in old.infolist():
            content = change(entry.filename, old.read(entry))
            if content is not None:
                new.writestr(entry.filename, content)
    return copy
