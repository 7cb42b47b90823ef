"""What rounding may change: a tolerance, or what a method that multiplies the last digit makes of it.

Batches, tiles and orders round differently. An iteration that has not settled for a pair multiplies the last
digit by some thousands. So the inputs are moved by it, and twice what that changes is allowed.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from core.audit.change import tolerances
from core.batch import Texts, Videos

SHAKES = 4
"""Times that the last digit of every input is moved, to see what a method makes of rounding."""
MOST_ROUNDING = 20
"""Tolerances that rounding may move a score by; what moves it further is no rounding."""


def last_digit(dtype: torch.dtype) -> float:
    """The relative size of a number's last digit."""
    return torch.finfo(dtype).eps


def rounding(
    score: Callable[[Texts, Videos], Tensor], texts: Texts, videos: Videos, stored: Tensor
) -> Tensor:
    """What each row of scores `(N, V)` may change by where batches round differently, `(N,)`.

    `stored` is what `score` makes of the texts and videos. At least a tolerance, at most `MOST_ROUNDING`.
    """
    allowed, generator = tolerances(stored), torch.Generator().manual_seed(0)

    def shaken(values: Tensor) -> Tensor:
        signs = torch.randint(-1, 2, values.shape, generator=generator)
        return values * (1 + last_digit(values.dtype) * signs)

    moved = allowed
    for _ in range(SHAKES):
        others = replace(texts, embeds=shaken(texts.embeds)), replace(videos, frames=shaken(videos.frames))
        change = (score(*others) - stored).abs().nan_to_num(0.0).amax(-1).double()
        moved = torch.maximum(moved, 2 * change)
    return torch.minimum(moved, MOST_ROUNDING * allowed)
