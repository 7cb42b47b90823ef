"""The tiny encoders that come with the world, registered as those of any package would be."""

import json
from dataclasses import dataclass
from pathlib import Path

from core.datasets.avworld.world import WORLD_VERSION
from core.encoders.entry import EncoderEntry
from core.errors import BenchError
from core.progress import Progress

SHIPPED = Path(__file__).parent / "weights"
"""Where their weights are."""
WORLD_FILE = "world.json"
"""Names the world's version that the weights were trained on."""
MAKE = "python -m core.datasets.avworld.backbones"
"""The command that makes the shipped weights."""


@dataclass(frozen=True)
class Shipped(EncoderEntry):
    """One of them."""

    folder: str
    """Its folder under `SHIPPED`."""

    def place(self, progress: Progress | None = None) -> Path:
        """The folder; raises `BenchError` as `shipped_folder` does."""
        return shipped_folder(self.folder)


TRAIN = "the training split of avworld"
CLIP = Shipped(name="avworld", kind="backbone", folder="clip", trained_on=TRAIN)
WHISPER = Shipped(name="avworld-whisper", kind="audio encoder", folder="whisper", trained_on=TRAIN)
UNTRAINED_WHISPER = Shipped(
    name="avworld-whisper-untrained", kind="audio encoder", folder="whisper", trained_on="nothing"
)
WAV2VEC2 = Shipped(name="avworld-wav2vec2", kind="audio encoder", folder="wav2vec2", trained_on=TRAIN)


def shipped_folder(name: str) -> Path:
    """The folder of a shipped encoder.

    Raises `BenchError` where it is missing or was trained on another version of the world.
    """
    folder = SHIPPED / name
    try:
        version = json.loads((folder / WORLD_FILE).read_text())["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{folder} holds no usable weights; make them with `{MAKE}`") from error
    if version != WORLD_VERSION:
        raise BenchError(
            f"{folder} was trained on version {version} of avworld, not {WORLD_VERSION}; "
            f"renew it with `{MAKE}`"
        )
    return folder


def write_world_version(folder: Path) -> None:
    """Records that the weights in `folder` belong to the present version of the world."""
    (folder / WORLD_FILE).write_text(json.dumps({"version": WORLD_VERSION}) + "\n")
