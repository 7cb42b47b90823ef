"""What is audited: a method under a scoring condition and a configuration, scored as a run scores it.

Checks see it with fresh weights, and after some training steps on noise: what a method has learnt or counted
in training may open a leak that fresh weights hide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from weakref import WeakSet

import torch
from pydantic import ValidationError
from torch import Tensor

from core.audit.noise_features import NARROW, NoiseFeatures, Shape
from core.audit.practice import Practice, practise
from core.audit.verdict import Judgement, Verdict
from core.batch import Texts, Videos
from core.errors import BenchError
from core.method import Method, MethodConfig, NoiseSource
from core.plugin_errors import blamed
from core.scoring.noise import scoring_noise
from core.scoring.scoring import Condition, ScoringIndex, build_index, score_matrix
from core.spec import explain

TEXTS, VIDEOS = 36, 28
"""Of the checks that compare scores with scores."""


@dataclass(frozen=True)
class Subject:
    """A method under a condition."""

    method: type[Method]
    condition: Condition
    size: int = 200
    """Texts and videos of the checks that count hits."""
    seeds: int = 3
    """Draws of weights and features of these."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What its configuration has beside its defaults."""
    shape: Shape = NARROW
    steps: int = 20
    """Training steps of the trained state."""
    further: int = 0
    """Steps after them in which weights move on without a gradient of their own."""
    practice_pairs: int = 8
    """Pairs of a step: clips of every kind that a world has."""

    @cached_property
    def config(self) -> MethodConfig:
        """Raises `BenchError` naming a key or a value that its configuration does not take."""
        try:
            return self.method.Config(**self.settings)
        except ValidationError as error:
            raise BenchError(f"{self.method.name}: {explain(error)}") from error

    def blamed(self, doing: str) -> Any:
        """What the method raises becomes one line; see `core.plugin_errors.blamed`."""
        set_ = "".join(f", {key}={value}" for key, value in self.settings.items())
        return blamed(self.method, doing, f"{self.shape}{set_}")

    def untrained(self, seed: int = 0) -> Method:
        """The method with fresh weights of a seed."""
        with torch.random.fork_rng(devices=[]), self.blamed("building it"):
            torch.manual_seed(seed)
            return self.method(self.config, self.shape.dimensions).eval()

    @cached_property
    def practice(self) -> Practice:
        """A method of its own that has trained on the first pairs of `world`, and what training showed."""
        with self.blamed("a training step"):
            return practise(self.untrained(), self.world, self.steps, self.practice_pairs, self.further)

    @cached_property
    def world(self) -> NoiseFeatures:
        """V videos, V texts of theirs, and more texts."""
        return NoiseFeatures.draw(TEXTS, VIDEOS, seed=0, shape=self.shape)

    def compared(self) -> tuple[Method, NoiseFeatures]:
        """What checks that compare scores with scores work on: the trained method, and its world."""
        return self.practice.method, self.world

    def of_shape(self, shape: Shape, **changes: Any) -> "Subject":
        """The same method for features of another shape."""
        return replace(self, shape=shape, **changes)

    @cached_property
    def self_checked(self) -> "WeakSet[Method]":
        """Methods whose algebra has been compared with their modules; their weights stay as they are."""
        return WeakSet()

    def index(self, method: Method, videos: Videos, chunk: int = 256) -> ScoringIndex:
        """The index as a run builds it, `chunk` videos at a time; the first one is checked."""
        with self.blamed("index"):
            made = build_index(method, videos, chunk=chunk, check=method not in self.self_checked)
        self.self_checked.add(method)
        return made

    def scores(
        self,
        method: Method,
        texts: Texts,
        videos: Videos | ScoringIndex,
        pairing: Tensor | None = None,
        *,
        noise_seed: int = 0,
        noise: NoiseSource | None = None,
        tile_bytes: int | None = None,
    ) -> Tensor:
        """Scores `(N, V)`; `pairing` `(N,)` is what the videos were stored with, text i with video i if None.

        Noise is keyed by text and video, so that what a pair draws is replayed wherever it is scored.
        """
        released = self.condition == "released"
        index = videos if isinstance(videos, ScoringIndex) else self.index(method, videos)
        with self.blamed("score"):
            return score_matrix(
                method,
                texts,
                index,
                condition=self.condition,
                pairing=torch.arange(len(texts)) if pairing is None else pairing,
                noise=noise or scoring_noise(method.config, noise_seed, released=released),
                tile_bytes=tile_bytes,
            )

    def verdict(self, check: str, outcome: Judgement, figure: str, meaning: str) -> Verdict:
        """A record of this method and condition."""
        return Verdict(self.method.name, self.condition, check, outcome, figure, meaning)
