"""How far scores are from what they should be, measured by what a row of scores tells apart.

A method may return cosines, a hundredfold of them or minus squared distances: what matters is a change beside
the spread of the scores of a text, and beside what float32 rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

SHARE = 5e-4
"""Of the standard deviation of a row's scores: two scores that differ by less are the same."""
ROUNDING = 64 * torch.finfo(torch.float32).eps
"""Of the largest magnitude in a row."""


def tolerances(scores: Tensor) -> Tensor:
    """What each row of `(N, V)` may change by, `(N,)`; undefined scores count for nothing."""
    known = scores.nan_to_num(0.0, 0.0, 0.0).double()
    count = scores.isfinite().sum(-1).clamp(min=1)
    mean = known.sum(-1) / count
    squares = ((known - mean[:, None]) * scores.isfinite()).square().sum(-1)
    return SHARE * (squares / count).sqrt() + ROUNDING * known.abs().amax(-1)


@dataclass(frozen=True)
class Change:
    """Difference of the scores of the same pairs."""

    largest: float
    """The absolute difference that exceeds its tolerance most."""
    allowed: float
    """Its tolerance."""
    mean: float
    """Mean absolute difference, in standard deviations of a row; NaN where there is nothing to compare."""
    undefined: float
    """Share of the scores, in percent, that exist in one of them only."""
    pair: tuple[int, int] = (0, 0)
    """Text and video of the largest difference, as the expected scores number them."""

    @classmethod
    def between(cls, found: Tensor, expected: Tensor, rows: Tensor | None = None) -> Self:
        """Of score matrices `(N, V)`, or of some pairs `(K,)`.

        `rows` `(N,)` or `(K,)` is what each row, or each pair, may change by; a matrix has its own unless
        given.
        """
        allowed = tolerances(expected) if rows is None else rows
        if expected.dim() == 2:
            allowed = allowed[:, None].expand_as(expected)
        undefined = found.isnan() != expected.isnan()
        both = found.isfinite() & expected.isfinite()
        difference = torch.where(both, (found - expected).double(), 0.0).abs()
        # Infinities of one kind agree; any other is as far off as can be.
        difference[~both & ~found.isnan() & ~expected.isnan() & (found != expected)] = torch.inf
        excess = difference / allowed.clamp(min=torch.finfo(torch.float64).tiny)
        if not excess.numel():
            return cls(0.0, 0.0, float("nan"), 0.0)
        worst = int(excess.argmax())
        row, column = divmod(worst, expected.shape[-1]) if expected.dim() == 2 else (worst, worst)
        return cls(
            float(difference.flatten()[worst]),
            float(allowed.flatten()[worst]),
            float(excess.mean()) * SHARE,
            100 * float(undefined.double().mean()),
            (row, column),
        )

    @classmethod
    def worst(cls, *changes: Self) -> Self:
        """The one that exceeds its tolerance most, with the largest share of undefined scores."""
        first = max(changes, key=lambda change: (change.undefined > 0, change.excess))
        return cls(first.largest, first.allowed, first.mean, first.undefined, first.pair)

    def renumbered(self, texts: Sequence[int], videos: Sequence[int]) -> Self:
        """The same change of a pair that other scores number otherwise."""
        text, video = self.pair
        return replace(self, pair=(int(texts[text]), int(videos[video])))

    @property
    def excess(self) -> float:
        """The difference in tolerances."""
        return self.largest / self.allowed if self.allowed else (0.0 if self.largest == 0 else float("inf"))

    @property
    def none(self) -> bool:
        """Whether the scores are the same but for rounding."""
        return self.excess <= 1 and self.undefined == 0

    def __str__(self) -> str:
        size = "0" if self.excess <= 1 else f"{self.largest:.2g}"
        undefined = f", {self.undefined:.0f} % undefined" if self.undefined else ""
        return f"{size} (tolerance {self.allowed:.1g}{undefined})"

    @property
    def where(self) -> str:
        """`text 3 with video 5 changes by 0.2, tolerance 1e-05`."""
        text, video = self.pair
        if self.undefined:
            return f"{self.undefined:.0f} % of the scores exist only in one of two scorings"
        return f"text {text} with video {video} changes by {self.largest:.2g}, tolerance {self.allowed:.1g}"
