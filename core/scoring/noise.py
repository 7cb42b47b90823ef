"""Noise of stochastic perturbations at scoring time, keyed so that scores are reproducible.

Two laws, the same for every single pair: `per-text` draws once per (text, trial) and shares the draw
over the videos; `fresh` draws per (text, video, trial), as the released code of T-MASS does. Either
is seeded by the keys of the caption and the video, never by their position, so a score depends
neither on tiles and their order nor on which other texts and videos are scored.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor

from core.axes import ScoringNoise, marked
from core.capabilities import NoiseSource
from core.scoring.names import NoiseMode as NoiseMode

Renaming = tuple[Tensor, Tensor]
"""New keys `(n,)` int64, and the old one of each."""


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele et al., OOPSLA 2014): every input bit reaches every output bit."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def unsigned(keys: Tensor) -> NDArray[np.uint64]:
    """Keys `(n,)` int64 as unsigned numpy integers."""
    return keys.cpu().numpy().astype(np.uint64)


class KeyedNoise:
    """The `NoiseSource` of a run."""

    def __init__(self, seed: int, mode: NoiseMode) -> None:
        self.seed = mix(np.array([seed + 1], dtype=np.uint64))
        self.mode = mode

    @property
    def shared(self) -> bool:
        """Whether all videos of a text share its draw."""
        return self.mode == "per-text"

    def draw(self, texts: Tensor, videos: Tensor, trials: int, width: int, prior: str) -> Tensor:
        """Noise for texts `(N,)` by key against videos `(V,)` by key, on the texts' device.

        Returns `(N, V, trials, width)` for `fresh` and `(N, 1, trials, width)` for `per-text`;
        U[0, 1) for the prior "uniform", N(0, 1) for "normal". Drawn on the CPU on every device, so
        that a GPU and a CPU score alike.
        """
        # a seed of its own for every text, or for every pair
        seeds = mix(unsigned(texts) ^ self.seed)[:, None]
        if self.mode == "fresh":
            seeds = mix(seeds ^ mix(unsigned(videos))[None, :])
        noise = torch.empty(*seeds.shape, trials, width)
        generator = torch.Generator()
        for seed, out in zip(seeds.ravel().tolist(), noise.flatten(0, 1), strict=True):
            # The CPU generator takes 32 bits of a seed; the mixed key has good low bits.
            generator.manual_seed(seed & 0xFFFFFFFF)
            # drawn with a generator per row, so that no other row changes it
            if prior == "uniform":
                torch.rand(trials, width, generator=generator, out=out)
            else:
                torch.randn(trials, width, generator=generator, out=out)
        return noise.to(texts.device)


class RenamedNoise:
    """Noise for texts and videos under other keys: each draws what it drew under its old one.

    Scores under it must be those under the old keys, for a method that uses keys for nothing but noise.
    """

    def __init__(self, noise: NoiseSource, texts: Renaming, videos: Renaming) -> None:
        self.noise, self.texts, self.videos = noise, sorted_by_new(texts), sorted_by_new(videos)

    @property
    def shared(self) -> bool:
        """Whether all videos of a text share its draw."""
        return self.noise.shared

    def draw(self, texts: Tensor, videos: Tensor, trials: int, width: int, prior: str) -> Tensor:
        """See `core.capabilities.NoiseSource`."""
        old = old_keys(texts, self.texts), old_keys(videos, self.videos)
        return self.noise.draw(*old, trials, width, prior)


def sorted_by_new(renaming: Renaming) -> Renaming:
    """The same pairs of keys, so that a new one can be searched for."""
    new, old = (keys.cpu() for keys in renaming)
    order = new.argsort()
    return new[order], old[order]


def old_keys(keys: Tensor, renaming: Renaming) -> Tensor:
    """What keys `(n,)` were before; those that were not renamed stay."""
    new, old = renaming
    place = torch.searchsorted(new, keys.cpu()).clamp(max=len(new) - 1)
    return torch.where(new[place] == keys.cpu(), old[place], keys.cpu()).to(keys.device)


def scoring_noise(config: BaseModel, seed: int, *, released: bool) -> KeyedNoise:
    """The noise that scores are drawn with under a method's configuration; released scoring draws afresh."""
    return KeyedNoise(seed, "fresh" if released else marked(config, ScoringNoise, "per-text"))
