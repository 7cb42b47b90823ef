"""The rank of a query under a declared tie policy.

The rank of a query is 1 + the number of candidates that score higher, + ties by policy:

- `optimistic`: ties behind the query's own candidate; `pessimistic`: before it.
- `expected` (default): ties in random order. R@K is the probability that the rank is at most K, the mean
  rank is the mean of the queries' mean ranks, the median rank their median.
- `xpool`: position in a stable descending sort of the exact scores, as X-Pool, T-MASS and GAID sort.
- `clip4clip`: every position whose score equals the query's own is an entry of its own, so that the
  denominator grows; with several captions per video text-to-video follows `xpool`, with the lower of two
  middle values as median.
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from core.errors import unknown_name
from core.evaluation.ranking import QueryRecords

TiePolicy = Literal["optimistic", "pessimistic", "expected", "clip4clip", "xpool"]
"""What a tie does to a rank (module docstring)."""

TIE_POLICIES: tuple[TiePolicy, ...] = get_args(TiePolicy)
"""All of them."""


def credit(first: Tensor, width: Tensor, k: int) -> Tensor:
    """Probability `(Q,)` float64 that a rank, any of `first` to `first + width` alike, is at most `k`."""
    return ((k + 1 - first.double()) / (width.double() + 1)).clamp(0, 1)


def rank_range(records: QueryRecords, policy: TiePolicy) -> tuple[Tensor, Tensor]:
    """The best rank of each query, `(Q,)` int64 from 1, and how many further ranks are open to it.

    Rows that are not `defined` mean nothing. Raises `BenchError` for an unknown policy.
    """
    counts = records.counts
    certain = torch.zeros_like(counts.ties)
    sorted_position = 1 + counts.above + counts.equal_before + counts.undefined
    best = 1 + counts.greater + counts.undefined
    if policy == "optimistic":
        return best, certain
    if policy == "pessimistic":
        return best + counts.ties, certain
    if policy == "expected":
        return best, counts.ties
    if policy == "xpool":
        return sorted_position, certain
    if policy == "clip4clip":
        if records.direction == "t2v" and records.several_captions:
            return sorted_position, certain
        # CLIP4Clip sorts the negated scores in numpy, which puts NaN candidates behind every number.
        return 1 + counts.above, counts.equal
    raise unknown_name("tie policy", policy, TIE_POLICIES)


def defined(records: QueryRecords, policy: TiePolicy) -> Tensor:
    """Which queries have a rank, `(Q,)` bool: those with a finite own score.

    X-Pool's video-to-text replaces NaN by -inf before it ranks, and so ranks every video.
    """
    if policy == "xpool" and records.direction == "v2t":
        return torch.ones(len(records), dtype=torch.bool)
    return records.own_score.isfinite()


def mean_ranks(records: QueryRecords, policy: TiePolicy = "expected") -> Tensor:
    """The rank of each query, `(Q,)` float64, the mean where several are open to it; NaN where undefined."""
    first, width = rank_range(records, policy)
    return (first + width / 2).double().where(defined(records, policy), torch.nan)


def recall_credit(records: QueryRecords, k: int, policy: TiePolicy = "expected") -> Tensor:
    """What each query adds to R@K, `(Q,)` float64 in [0, 1]; NaN where undefined.

    Its mean over the defined queries is R@K / 100, except under `clip4clip`, whose entries weigh tied
    queries more.
    """
    return credit(*rank_range(records, policy), k).where(defined(records, policy), torch.nan)


def tied_positions(first: Tensor, width: Tensor) -> Tensor:
    """Every rank from `first` to `first + width` of every query in turn, `(sum(width + 1),)` int64."""
    entries = width + 1
    start = entries.cumsum(0) - entries
    return torch.arange(int(entries.sum())) + (first - start).repeat_interleave(entries)
