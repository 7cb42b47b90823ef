"""R@K over the size of the gallery: what distractors cost, at every number of them and without sampling.

If h of the M distractors outrank a query's own video, then among m of them drawn at random H outrank it, and
H is hypergeometric: `P(H = j) = C(h, j) C(M - h, m - j) / C(M, m)`. The expected recall at a gallery of
`V + m` videos is the mean over the queries of `sum_j P(H = j) credit(rank + j)`, which needs h alone.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from core.evaluation.measures import RECALL_AT
from core.evaluation.ranking import text_to_video
from core.evaluation.tie_policies import credit, rank_range

CURVES = "gallery.json"
"""The file of a run that holds the curves: split -> entries."""
SIZES = 8
"""Steps of the curve, from the gallery as it is to all distractors, each about as much larger."""


def sizes_of(distractors: int) -> list[int]:
    """Numbers of distractors at which the curve is computed: 0, then growing by equal factors to all."""
    grown = np.geomspace(max(1, distractors / 2 ** (SIZES - 2)), distractors, SIZES - 1)
    return [0, *dict.fromkeys(round(float(size)) for size in grown)]


def recall_over_sizes(
    scores: Tensor, pairing: Tensor, distractors: int, tolerance: float
) -> list[dict[str, float]]:
    """Expected text-to-video R@K at growing galleries, from scores `(N, V + M)` whose last M columns are
    `distractors`; a distractor that ties counts as ranking higher.

    Each entry has `gallery`, the number of videos, and `R@1`, `R@5`, `R@10` in points.
    """
    own = scores.shape[1] - distractors
    alone = text_to_video(scores[:, :own], pairing, tolerance=tolerance)
    among = text_to_video(scores, pairing, tolerance=tolerance)
    first, width = rank_range(alone, "expected")
    above = among.counts.greater + among.counts.ties - alone.counts.greater - alone.counts.ties
    above = above.clamp(min=0)
    found = []
    for size in sizes_of(distractors):
        recalls = {f"R@{k}": expected_recall(first, width, above, distractors, size, k) for k in RECALL_AT}
        found.append({"gallery": float(own + size), **recalls})
    return found


def expected_recall(
    first: Tensor, width: Tensor, above: Tensor, distractors: int, drawn: int, k: int
) -> float:
    """R@K in points where `drawn` of the distractors join, `above` `(N,)` of all of which rank higher."""
    from scipy.stats import hypergeom  # late: two seconds, which no run without distractors should wait

    total = torch.zeros(len(first), dtype=torch.float64)
    outranking: Sequence[int] = range(min(k, drawn + 1))
    for number in outranking:
        # P(H = j) times the credit of a rank that is j places lower
        chance = hypergeom.pmf(number, distractors, above.numpy(), drawn) if drawn else float(number == 0)
        total += torch.as_tensor(chance) * credit(first + number, width, k)
    return float(100 * total.mean())
