"""What a world is: its size, its seed, its strata, and where it lies on disk."""

from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from core.paths import cache_root

WORLD_VERSION = 3
"""Raised whenever the recipe changes, so that older worlds are not taken for this one."""

PIXELS = 64
"""Width and height of the picture."""
FPS = 8
"""Frames per second."""
WORLD_SECONDS = 4.0
"""Length of every clip in seconds."""
FRAMES = 32
"""Frames of every clip."""
RATE = 16_000
"""Samples of sound per second, one channel."""

SplitName = Literal["train", "val", "test", "test-multi"]
Stratum = Literal["needed", "partial", "irrelevant", "silent", "off-screen"]

CAPTIONS_PER_CLIP: dict[SplitName, tuple[int, int]] = {
    "train": (2, 2),
    "val": (1, 1),
    "test": (1, 1),
    "test-multi": (2, 4),
}
"""Fewest and most captions of a clip; the splits in their order."""

SHARES: dict[Stratum, float] = {
    "needed": 0.3,
    "partial": 0.3,
    "irrelevant": 0.2,
    "silent": 0.1,
    "off-screen": 0.1,
}
"""Share of the clips per stratum, in the order in which the rounding runs."""

QUARTET: tuple[Stratum, ...] = ("needed", "partial", "off-screen")
"""Strata whose clips come in groups of four with identical pixels."""


class WorldConfig(BaseModel):
    """A world's size and seed; everything else is fixed by `WORLD_VERSION`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, ge=0)
    """Seed of every draw."""
    train: int = Field(default=2_000, ge=20)
    """Clips to train on."""
    val: int = Field(default=250, ge=20)
    """Clips to choose a checkpoint by."""
    test: int = Field(default=500, ge=20)
    """Clips to report on, one caption each."""
    test_multi: int = Field(default=120, ge=20)
    """Clips to report on with two to four captions each."""

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change with the configuration and the version."""
        return sha256(f"avworld {WORLD_VERSION} {self.model_dump_json()}".encode()).hexdigest()

    def clips(self, split: SplitName) -> dict[Stratum, int]:
        """Clips per stratum of a split: whole quartets by cumulative rounding, the remainder irrelevant.

        >>> WorldConfig().clips("test")
        {'needed': 152, 'partial': 148, 'irrelevant': 100, 'silent': 52, 'off-screen': 48}
        """
        total: int = getattr(self, split.replace("-", "_"))
        quartets = total // 4
        counts: dict[Stratum, int] = {}
        share, given = 0.0, 0
        for stratum, part in SHARES.items():
            share += part
            upto = int(share * quartets + 0.5)
            counts[stratum] = 4 * (upto - given)
            given = upto
        counts["irrelevant"] += total - 4 * quartets
        return counts

    def groups(self, split: SplitName) -> list["Group"]:
        """The groups of a split, stratum by stratum."""
        return [
            Group(split, stratum, number)
            for stratum, clips in self.clips(split).items()
            for number in range(clips // 4 if stratum in QUARTET else clips)
        ]


class Group(NamedTuple):
    """The place of a group in any world: it does not depend on the world's size."""

    split: SplitName
    """The split it belongs to."""
    stratum: Stratum
    """Why sound matters here, or why not."""
    number: int
    """Its position among the groups of its split and stratum."""

    @property
    def name(self) -> str:
        """Unique within the world."""
        return f"{self.split}-{self.stratum}-{self.number:04d}"

    @property
    def clip_ids(self) -> list[str]:
        """The names of its clips: four with identical pixels, or one."""
        return [f"{self.name}-{member}" for member in "abcd"] if self.stratum in QUARTET else [self.name]


WORLDS: dict[str, WorldConfig] = {
    "avworld": WorldConfig(),
    "avworld-tiny": WorldConfig(train=160, val=48, test=96, test_multi=40),
}
"""The named worlds; `avworld-tiny` follows the same recipe and serves quick checks."""


def world_folder(name: str) -> Path:
    """Where the world `name` lies, whether or not it has been generated."""
    return cache_root() / "datasets" / f"{name}-{WORLDS[name].fingerprint[:12]}"
