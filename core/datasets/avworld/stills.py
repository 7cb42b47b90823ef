"""What the pre-training learns from: the train split, read back from its media files with its scripts."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.datasets import load_dataset
from core.datasets.avworld.grammar import COLOURS, CUE, DECOY, FILLERS, MOTIONS, SCENES, SOUNDS
from core.datasets.avworld.reader import read_scripts
from core.datasets.avworld.script import ScriptedClip
from core.datasets.avworld.world import FPS, PIXELS, SplitName
from core.paths import cache_root
from core.progress import Progress
from core.store.store import Store, StoreSettings, prepare_store

SOUND_CLASSES = (*SOUNDS, *FILLERS, CUE, DECOY, "nothing")
"""What can be heard at a moment; `nothing` is the noise floor alone."""
FACTS = {"colour": COLOURS, "companion": COLOURS, "motion": MOTIONS, "scene": SCENES, "rings": ("no", "yes")}
"""What a still shows, and the values of each fact."""


@dataclass(frozen=True)
class Material:
    """One split as the pre-training sees it."""

    store: Store
    """The decoded clips of the split."""
    clips: tuple[ScriptedClip, ...]
    """Their scripts, row by row."""

    def one_per_group(self) -> Tensor:
        """Rows `(G,)` int64 of the first clip of every group: the distinct pictures."""
        first: dict[str, int] = {}
        for row, clip in enumerate(self.clips):
            first.setdefault(clip.group, row)
        return torch.tensor(list(first.values()))


def load_material(split: SplitName, frames: int, progress: Progress, workers: int) -> Material:
    """A split of the world through the ordinary road: media files, decoding, store."""
    dataset = load_dataset("avworld", progress, workers=workers)
    settings = StoreSettings(frames=frames, size=PIXELS)
    folder = cache_root() / "stores" / f"avworld-{dataset.fingerprint[:12]}-pretraining-{split}"
    store = prepare_store(
        dataset.splits[split].videos,
        dataset.fingerprint,
        settings,
        folder,
        workers=workers,
        progress=progress,
    )
    return Material(store, tuple(read_scripts("avworld", split)))


def still_facts(material: Material) -> dict[str, Tensor]:
    """For each fact the number of its value in every still, `(V, F)` int64."""
    values: dict[str, list[list[int]]] = {name: [] for name in FACTS}
    for clip, times in zip(material.clips, material.store.times, strict=True):
        numbers = np.rint(times * FPS).astype(int)
        shown = [next(s for s in clip.picture.segments if s.start <= n < s.end) for n in numbers]
        values["colour"].append([COLOURS.index(s.colour) for s in shown])
        values["companion"].append([COLOURS.index(s.companion) for s in shown])
        values["motion"].append([MOTIONS.index(s.motion) for s in shown])
        values["scene"].append([SCENES.index(clip.picture.scene)] * len(shown))
        values["rings"].append([int(s.ringed) for s in shown])
    return {name: torch.tensor(rows) for name, rows in values.items()}


def sound_labels(clip: ScriptedClip, states: int, rate: float) -> Tensor:
    """Which sounds are heard at the middle of each of `states` encoder states, `rate` per second.

    `(states, SOUND_CLASSES)` of 0 and 1: several where sounds overlap, `nothing` where there are none.
    """
    labels = torch.zeros(states, len(SOUND_CLASSES))
    middles = (torch.arange(states) + 0.5) / rate
    for sound in clip.sounds:
        labels[(middles >= sound.start) & (middles < sound.end), SOUND_CLASSES.index(sound.name)] = 1
    labels[labels.sum(1) == 0, SOUND_CLASSES.index("nothing")] = 1
    return labels
