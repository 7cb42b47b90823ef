"""What is audited: a method under a scoring condition, untrained, scored as a run scores it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.audit.noise_features import FRAMES, TEXT_WORDS, WIDTH, NoiseFeatures
from core.audit.verdict import Outcome, Verdict
from core.batch import Texts, Videos
from core.method import Dimensions, Method
from core.scoring.noise import scoring_noise
from core.scoring.scoring import Condition, build_index, score_matrix

TOLERANCE = 1e-5
"""Cosines that differ by less are the same score, rounded differently."""
MOVED = 0.1
"""Standard deviation of what is added to the weights of the checks that compare scores with scores."""
TEXTS, VIDEOS = 36, 28
"""Of the same checks."""


@dataclass(frozen=True)
class Subject:
    """A method under a condition."""

    method: type[Method]
    condition: Condition
    size: int = 200
    """Texts and videos of the checks that count hits."""
    seeds: int = 3
    """Draws of weights and features of these."""

    def untrained(self, seed: int = 0, *, moved: float = 0.0) -> Method:
        """The method with fresh weights of a seed, under its default configuration.

        Scalars that start at zero are set to one: they switch parts on, which would else hide. `moved` is the
        standard deviation of noise that is added to all weights but the logit scale.
        """
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            method = self.method(self.method.Config(), Dimensions(WIDTH, FRAMES, WIDTH, TEXT_WORDS)).eval()
            for name, parameter in method.named_parameters():
                if parameter.numel() == 1 and float(parameter) == 0:
                    parameter.fill_(1.0)
                if moved and name != "logit_scale":
                    parameter.add_(moved * torch.randn_like(parameter))
        return method

    def scores(
        self,
        method: Method,
        texts: Texts,
        videos: Videos,
        pairing: Tensor | None = None,
        *,
        noise_seed: int = 0,
        tile_bytes: int | None = None,
    ) -> Tensor:
        """Scores `(N, V)`; `pairing` `(N,)` is what the videos were stored with, text i with video i if None.

        Noise is keyed by text and video, so that what a pair draws is replayed wherever it is scored.
        """
        return score_matrix(
            method,
            texts,
            build_index(method, videos),
            condition=self.condition,
            pairing=torch.arange(len(texts)) if pairing is None else pairing,
            noise=scoring_noise(method.config, noise_seed, released=self.condition == "released"),
            tile_bytes=tile_bytes,
        )

    def compared(self) -> tuple[Method, NoiseFeatures]:
        """What checks that compare scores with scores work on: V videos, V texts of theirs, and more texts.

        The weights are moved so that no part is too faint to be seen.
        """
        return self.untrained(moved=MOVED), NoiseFeatures.draw(TEXTS, VIDEOS, seed=0)

    def verdict(self, check: str, outcome: Outcome, figure: str, meaning: str) -> Verdict:
        """A record of this method and condition."""
        return Verdict(self.method.name, self.condition, check, outcome, figure, meaning)
