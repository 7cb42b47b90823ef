"""Hits counted over seeds and compared with the band of chance."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import bdtr
from torch import Tensor

from core.evaluation.measures import RECALL_AT
from core.evaluation.ranking import text_to_video, video_to_text
from core.evaluation.tie_policies import recall_credit

LEVEL = 0.9999
"""Of the band; each of its two tails holds half of the rest."""


@dataclass(frozen=True)
class Recalls:
    """Hits of square score matrices with the pairing i-i, pooled over the matrices, ties in random order."""

    hits: Mapping[tuple[str, int], float]
    """By direction and K."""
    queries: int
    """Of each direction, all matrices together."""
    candidates: int
    """Of each query."""

    @classmethod
    def count(cls, matrices: Iterable[Tensor]) -> "Recalls":
        """From score matrices `(V, V)` of one size; an undefined query is no hit."""
        hits = {(direction, k): 0.0 for direction in ("t2v", "v2t") for k in RECALL_AT}
        queries = candidates = 0
        for scores in matrices:
            candidates = len(scores)
            queries += candidates
            own = torch.arange(candidates)
            for records in (
                text_to_video(scores, own, undefined="allow"),
                video_to_text(scores, own, undefined="allow"),
            ):
                for k in RECALL_AT:
                    hits[records.direction, k] += float(recall_credit(records, k).nansum())
        return cls(hits, queries, candidates)

    def recall(self, direction: str, k: int) -> float:
        """R@K in points."""
        return 100 * self.hits[direction, k] / self.queries

    def band(self, k: int) -> tuple[float, float]:
        """Bounds of R@K by chance, in points.

        A query hits with probability K/V whatever the method makes of noise, and hubs (videos that are near
        to every text) only narrow the spread of the sum, so the binomial band of all queries holds `LEVEL`
        or more.
        """
        # P(hits <= h) of every h; scipy.stats, which has the interval, takes a second to import
        below = bdtr(np.arange(self.queries + 1), self.queries, min(1.0, k / self.candidates))
        low, high = np.searchsorted(below, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return 100 * float(low) / self.queries, 100 * float(high) / self.queries

    @property
    def at_chance(self) -> bool:
        """Whether R@1, R@5 and R@10 of both directions lie inside their bands."""
        return all(
            low <= self.recall(direction, k) <= high
            for direction, k in self.hits
            for low, high in [self.band(k)]
        )

    def __str__(self) -> str:
        of = {
            direction: "/".join(f"{self.recall(direction, k):.1f}" for k in RECALL_AT)
            for direction in ("t2v", "v2t")
        }
        chance = "/".join(f"{100 * min(1.0, k / self.candidates):.1f}" for k in RECALL_AT)
        return f"R@1/5/10 t2v {of['t2v']} %, v2t {of['v2t']} % (chance {chance})"
