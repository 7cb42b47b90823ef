"""How sure a figure is, and how well a gate tells relevant frames from others.

Plain estimators on tensors; nothing here knows what a query or a frame is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

RESAMPLES = 2000
"""Bootstrap samples of an interval."""

BLOCK = 2**22
"""Draws held at a time."""


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds of its confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """A figure over several seeds."""

    mean: float
    deviation: float
    """Sample standard deviation (n - 1); NaN for a single seed."""
    seeds: int


def bootstrap_interval(
    values: Tensor, clusters: Tensor, *, seed: int, level: float = 0.95, resamples: int = RESAMPLES
) -> Interval:
    """Percentile interval of the mean of `values` `(Q,)`, by resampling whole clusters with replacement.

    `clusters` `(Q,)` int64 says which queries stand or fall together (captions of one video, clips that
    share their pixels). The estimate is the plain mean. Efron and Tibshirani, "An Introduction to the
    Bootstrap", 1993, chapter 13; the cluster bootstrap is Davison and Hinkley, 1997, section 3.8.
    Raises `ValueError` where there are no values or one is not finite.
    """
    if len(values) == 0 or not bool(values.isfinite().all()):
        raise ValueError(
            f"an interval needs finite values; got {int(values.isfinite().sum())} of {len(values)}"
        )
    cluster = torch.unique(clusters, return_inverse=True)[1]
    count = int(cluster.max()) + 1
    sums = torch.zeros(count, dtype=torch.float64).index_add_(0, cluster, values.double())
    sizes = cluster.bincount(minlength=count).double()
    generator = torch.Generator().manual_seed(seed)
    means = []
    step = max(1, BLOCK // count)
    for start in range(0, resamples, step):
        drawn = torch.randint(count, (min(step, resamples - start), count), generator=generator)
        means.append(sums[drawn].sum(1) / sizes[drawn].sum(1))
    tail = (1 - level) / 2
    low, high = torch.cat(means).quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return Interval(float(values.double().mean()), low, high)


def seed_spread(values: Tensor) -> Spread:
    """Mean and deviation of one figure per seed, `(seeds,)`. Raises `ValueError` where there is none."""
    if len(values) == 0:
        raise ValueError("a spread needs at least one seed")
    deviation = float(values.double().std()) if len(values) > 1 else torch.nan
    return Spread(float(values.double().mean()), deviation, len(values))


def auroc(scores: Tensor, positive: Tensor) -> float:
    """Probability that a positive scores above a negative, ties half; NaN where one kind is missing.

    `scores` `(Q,)`, `positive` `(Q,)` bool. The Mann-Whitney statistic over the number of pairs.
    """
    return float(grouped_auroc(scores, positive, torch.zeros(len(scores), dtype=torch.int64))[0])


def within_group_auroc(scores: Tensor, positive: Tensor, groups: Tensor) -> tuple[float, int]:
    """Mean AUROC inside the groups that have both kinds, and how many those are; NaN where none is.

    `groups` `(Q,)` int64 names each score's group, for gates the clip of a frame.
    """
    values = grouped_auroc(scores, positive, groups)
    values = values[~values.isnan()]
    return (float(values.mean()) if len(values) else torch.nan), len(values)


def grouped_auroc(scores: Tensor, positive: Tensor, groups: Tensor) -> Tensor:
    """AUROC inside each group, `(G,)` float64 by sorted group number; NaN where a kind is missing.

    Raises `ValueError` for a score that is NaN.
    """
    if bool(scores.isnan().any()):
        raise ValueError(f"{int(scores.isnan().sum())} of {len(scores)} scores are NaN; AUROC needs an order")
    group = torch.unique(groups, return_inverse=True)[1]
    # Two stable sorts order by score inside each group.
    by_score = scores.double().argsort(stable=True)
    order = by_score[group[by_score].argsort(stable=True)]
    group, positive, scores = group[order], positive[order].bool(), scores[order].double()
    new_run = torch.ones(len(scores), dtype=torch.bool)
    new_run[1:] = (scores[1:] != scores[:-1]) | (group[1:] != group[:-1])
    run = new_run.cumsum(0) - 1
    size = run.bincount().double()
    mean_rank = (size.cumsum(0) - (size - 1) / 2)[run]
    count = int(group.max()) + 1 if len(group) else 1
    total = group.bincount(minlength=count).double()
    rank = mean_rank - (total.cumsum(0) - total)[group]
    positives = torch.zeros(count, dtype=torch.float64).index_add_(0, group, positive.double())
    rank_sum = torch.zeros(count, dtype=torch.float64).index_add_(0, group, rank * positive)
    pairs = positives * (total - positives)
    won = rank_sum - positives * (positives + 1) / 2
    return torch.div(won, pairs.where(pairs > 0, torch.nan))


def average_precision(scores: Tensor, positive: Tensor) -> float:
    """Mean over the positives of the precision at their score; equal scores share one threshold.

    `scores` `(Q,)`, `positive` `(Q,)` bool; NaN where nothing is positive.
    """
    order = scores.argsort(descending=True, stable=True)
    scores, hits = scores[order], positive[order].double().cumsum(0)
    last_of_run = torch.ones(len(scores), dtype=torch.bool)
    last_of_run[:-1] = scores[1:] != scores[:-1]
    hits, seen = hits[last_of_run], torch.arange(1, len(scores) + 1)[last_of_run]
    gained = hits.diff(prepend=torch.zeros(1, dtype=torch.float64))
    return float((gained * hits / seen).sum() / hits[-1]) if len(hits) and hits[-1] > 0 else torch.nan
