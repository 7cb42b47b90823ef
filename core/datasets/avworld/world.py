"""What a world is: its size, its seed, its strata, and where it lies on disk."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

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
Stratum = Literal[
    "needed",
    "partial",
    "irrelevant",
    "silent",
    "off-screen",
    "details",
    "moment",
    "one-word",
    "brief",
    "several",
]
"""The strata of all kinds of worlds. A draw is seeded by the place of its stratum: new ones come last."""

QUARTETS: tuple[Stratum, ...] = ("needed", "partial", "off-screen", "one-word", "brief")
"""Strata whose clips come in groups of four that are alike but for what the stratum is about."""

CAPTIONS_PER_CLIP: dict[SplitName, tuple[int, int]] = {
    "train": (2, 2),
    "val": (1, 1),
    "test": (1, 1),
    "test-multi": (2, 4),
}
"""Fewest and most captions of a clip of a `SoundWorld`."""


class WorldConfig(BaseModel):
    """A world's size and seed; everything else is fixed by its kind and `WORLD_VERSION`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    """What its fingerprint is told from those of other kinds by."""
    about: ClassVar[str]
    """What it is, in one line."""
    shares: ClassVar[Mapping[Stratum, float]]
    """Share of the clips per stratum, in the order in which the rounding runs."""
    remainder: ClassVar[Stratum]
    """The stratum that takes the clips of a split that make no quartet."""
    splits: ClassVar[tuple[SplitName, ...]]
    """Its splits in their order; the number of clips of each is a field."""
    captions: ClassVar[str]
    """How many captions a clip has, for the protocol."""

    seed: int = Field(default=0, ge=0)
    """Seed of every draw."""
    train: int = Field(default=2_000, ge=20)
    """Clips to train on."""
    val: int = Field(default=250, ge=20)
    """Clips to choose a checkpoint by."""
    test: int = Field(default=500, ge=20)
    """Clips to report on."""

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change with the kind, the configuration and the version."""
        return sha256(f"{self.kind} {WORLD_VERSION} {self.model_dump_json()}".encode()).hexdigest()

    def clips(self, split: SplitName) -> dict[Stratum, int]:
        """Clips per stratum of a split: whole quartets by cumulative rounding, and what remains of four.

        >>> SoundWorld().clips("test")
        {'needed': 152, 'partial': 148, 'irrelevant': 100, 'silent': 52, 'off-screen': 48}
        """
        total: int = getattr(self, split.replace("-", "_"))
        quartets = total // 4
        counts: dict[Stratum, int] = {}
        share, given = 0.0, 0
        for stratum, part in self.shares.items():
            share += part
            upto = int(share * quartets + 0.5)
            counts[stratum] = 4 * (upto - given)
            given = upto
        counts[self.remainder] += total - 4 * quartets
        return counts

    def groups(self, split: SplitName) -> list["Group"]:
        """The groups of a split, stratum by stratum."""
        return [
            Group(split, stratum, number)
            for stratum, clips in self.clips(split).items()
            for number in range(clips // 4 if stratum in QUARTETS else clips)
        ]


class SoundWorld(WorldConfig):
    """Whether sound is needed, when within the clip, and whether a gate finds that moment."""

    kind = "avworld"
    about = "generated scenes with sound, captions and the truth about when sound matters"
    shares = {"needed": 0.3, "partial": 0.3, "irrelevant": 0.2, "silent": 0.1, "off-screen": 0.1}
    remainder = "irrelevant"
    splits = ("train", "val", "test", "test-multi")
    captions = "train 2, val 1, test 1, test-multi 2 to 4"

    test_multi: int = Field(default=120, ge=20)
    """Clips to report on with two to four captions each."""


class IdeasWorld(WorldConfig):
    """What else the field tries, sound apart: a stratum per idea, and no sound that matters."""

    kind = "avworld-ideas"
    about = "generated scenes, a stratum each for perturbation, pooling, words, frames and several captions"
    shares = {"details": 0.24, "moment": 0.2, "one-word": 0.2, "brief": 0.2, "several": 0.16}
    remainder = "details"
    splits = ("train", "val", "test")
    captions = "1; in the stratum several 3"

    train: int = Field(default=1_600, ge=20)
    """Clips to train on."""
    val: int = Field(default=200, ge=20)
    """Clips to choose a checkpoint by."""
    test: int = Field(default=600, ge=20)
    """Clips to report on."""


class Group(NamedTuple):
    """The place of a group in any world: it does not depend on the world's size."""

    split: SplitName
    """The split it belongs to."""
    stratum: Stratum
    """What the group is to show."""
    number: int
    """Its position among the groups of its split and stratum."""

    @property
    def name(self) -> str:
        """Unique within the world."""
        return f"{self.split}-{self.stratum}-{self.number:04d}"

    @property
    def clip_ids(self) -> list[str]:
        """The names of its clips: four that are alike, or one."""
        return [f"{self.name}-{member}" for member in "abcd"] if self.stratum in QUARTETS else [self.name]


WORLDS: dict[str, WorldConfig] = {
    "avworld": SoundWorld(),
    "avworld-tiny": SoundWorld(train=160, val=48, test=96, test_multi=40),
    "avworld-ideas": IdeasWorld(),
}
"""The named worlds; `avworld-tiny` follows the recipe of `avworld` and serves quick checks."""


def world_folder(name: str) -> Path:
    """Where the world `name` lies, whether or not it has been generated."""
    return cache_root() / "datasets" / f"{name}-{WORLDS[name].fingerprint[:12]}"
