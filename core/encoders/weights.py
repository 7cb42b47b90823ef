"""Model folders: the shipped ones by name, and the fingerprint of what lies in one."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from torch import Tensor

from core.datasets.avworld.world import VERSION
from core.errors import BenchError

SHIPPED = Path(__file__).parents[1] / "datasets" / "avworld" / "weights"
"""Where the tiny backbones of the embedded world lie."""
WORLD_FILE = "world.json"
"""Names the world's version that the weights were trained on."""
MAKE = "python -m core.datasets.avworld.backbones"
"""The command that makes the shipped weights."""


def shipped_folder(name: str) -> Path:
    """The folder of a shipped backbone.

    Raises `BenchError` where it is missing or was trained on another version of the world.
    """
    folder = SHIPPED / name
    try:
        version = json.loads((folder / WORLD_FILE).read_text())["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{folder} holds no usable weights; make them with `{MAKE}`") from error
    if version != VERSION:
        raise BenchError(
            f"{folder} was trained on version {version} of avworld, not {VERSION}; renew it with `{MAKE}`"
        )
    return folder


def write_world_version(folder: Path) -> None:
    """Records that the weights in `folder` belong to the present version of the world."""
    (folder / WORLD_FILE).write_text(json.dumps({"version": VERSION}) + "\n")


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """64 hexadecimal digits over the names, shapes and values of weights, as float32."""
    digest = sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().float().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
