"""How similar matched and other pairs are: a histogram of cosines, small enough to be kept with every run."""

from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 200
"""Of equal width over [-1, 1]."""


@dataclass(frozen=True)
class Similarities:
    """Counts of cosines per bin; fields `(BINS,)` int64."""

    positive: Tensor
    """Each text with its own video."""
    negative: Tensor
    """Each text with every other video."""


def bin_edges() -> Tensor:
    """The edges of the bins, `(BINS + 1,)` float64."""
    return torch.linspace(-1, 1, BINS + 1, dtype=torch.float64)


def similarities(scores: Tensor, pairing: Tensor) -> Similarities:
    """Histograms of cosines `(N, V)` with `pairing` `(N,)` int64, the video of each text.

    Cosines that rounding moved past ±1 count in the outermost bins; NaN counts nowhere.
    """
    own = scores.gather(1, pairing[:, None].to(scores.device))[:, 0]
    positive = histogram(own)
    return Similarities(positive, histogram(scores) - positive)


def histogram(cosines: Tensor) -> Tensor:
    """Counts `(BINS,)` int64 of the values that are not NaN."""
    known = cosines[~cosines.isnan()].clamp(-1, 1)
    # [-1, 1] -> 0 .. BINS, the last edge counting in the last bin
    bins = ((known + 1) * (BINS / 2)).long().clamp(max=BINS - 1)
    return bins.bincount(minlength=BINS).cpu()
