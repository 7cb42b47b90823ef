"""How sure a figure is, and how well a gate tells relevant frames from others.

Plain estimators on tensors; nothing here knows what a query or a frame is.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

RESAMPLES = 2000
"""Bootstrap samples of an interval."""

DRAWS_AT_ONCE = 2**20
"""Draws or products held at a time."""


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds of its confidence interval."""

    estimate: float
    low: float
    high: float


def bootstrap_interval(
    values: Tensor, clusters: Tensor, *, seed: int, level: float = 0.95, resamples: int = RESAMPLES
) -> Interval:
    """Percentile interval of the mean of `values`, `(Q,)` of one run or `(S, Q)` of S seeds.

    Whole clusters are resampled with replacement, and the seeds too where there are several: queries and
    seeds are crossed, so both are drawn independently (Owen, "The pigeonhole bootstrap", Annals of Applied
    Statistics 1, 2007). `clusters` `(Q,)` int64 says which queries stand or fall together (captions of one
    video, clips that share their pixels). The estimate is the plain mean. Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993, chapter 13; the cluster bootstrap is Davison and Hinkley, 1997,
    section 3.8. With S seeds their part of the width comes out a factor of about sqrt((S - 1) / S) small.
    Raises `ValueError` where there are no values or one is not finite.
    """
    means = resampled_means(values, clusters, seed=seed, resamples=resamples)
    return Interval(float(values.double().mean()), *percentiles(means, level))


def bootstrap_difference(
    values: Tensor,
    others: Tensor,
    clusters: Tensor,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """Percentile interval of mean(`values`) - mean(`others`), paired over the same queries.

    Both are `(Q,)` or `(S, Q)`, each with its own number of seeds: every resample draws one set of clusters
    for both and the seeds of either for itself. Raises `ValueError` as `bootstrap_interval` does.
    """
    difference = resampled_means(values, clusters, seed=seed, resamples=resamples) - resampled_means(
        others, clusters, seed=seed, resamples=resamples, stream=1
    )
    return Interval(float(values.double().mean() - others.double().mean()), *percentiles(difference, level))


def resampled_means(
    values: Tensor, clusters: Tensor, *, seed: int, resamples: int, stream: int = 0
) -> Tensor:
    """The mean of each bootstrap sample, `(resamples,)` float64.

    Equal `seed` and clusters draw equal clusters, whatever the values; `stream` tells apart the draws of
    seeds.
    """
    if values.numel() == 0 or not bool(values.isfinite().all()):
        raise ValueError(
            f"an interval needs finite values; got {int(values.isfinite().sum())} of {values.numel()}"
        )
    seeds = torch.atleast_2d(values).double()
    sums, sizes = cluster_sums(seeds, clusters), cluster_sums(torch.ones_like(seeds[:1]), clusters)
    drawn_seeds = _draws(len(seeds), resamples, seed + 1 + stream).double() / len(seeds)
    means = []
    drawn_clusters = _draws(sums.shape[1], resamples, seed)
    step = max(1, DRAWS_AT_ONCE // sums.shape[1])
    for part, weights in zip(drawn_clusters.split(step), drawn_seeds.split(step), strict=True):
        counts = part.double()
        means.append(((counts @ sums.T) * weights).sum(1) / (counts @ sizes.T)[:, 0])
    return torch.cat(means)


@lru_cache(maxsize=8)
def _draws(items: int, resamples: int, seed: int) -> Tensor:
    """How often each bootstrap sample drew each item, `(resamples, items)`; a table asks for it per row."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(resamples, items, dtype=torch.int16)
    step = max(1, DRAWS_AT_ONCE // items)
    for part in counts.split(step):
        drawn = torch.randint(items, part.shape, generator=generator)
        part.scatter_add_(1, drawn, torch.ones_like(part))
    return counts


def cluster_sums(values: Tensor, clusters: Tensor) -> Tensor:
    """Sums of `values` `(M, Q)` over the queries of each cluster, `(M, C)` float64 by cluster number."""
    cluster = torch.unique(clusters, return_inverse=True)[1]
    sums = torch.zeros(len(values), int(cluster.max()) + 1, dtype=torch.float64)
    return sums.index_add_(1, cluster, values.double())


def percentiles(means: Tensor, level: float) -> tuple[float, float]:
    """The bounds between which the middle `level` of `means` lies."""
    tail = (1 - level) / 2
    low, high = means.quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high


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
