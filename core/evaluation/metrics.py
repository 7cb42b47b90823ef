"""R@K, median and mean rank of one direction, all at once (ties: `core.evaluation.tie_policies`)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from core.evaluation.measures import Ranks, mean_rank, median_rank, ranks_of
from core.evaluation.ranking import QueryRecords
from core.evaluation.tie_policies import TiePolicy, credit

ALL_RECALLS = (1, 5, 10, 50, 100)
"""The K of R@K."""


@dataclass(frozen=True)
class Metrics:
    """One direction of one protocol."""

    recall: Mapping[int, float]
    """K -> R@K in points (0 to 100)."""
    median_rank: float
    mean_rank: float
    queries: int
    """Entries of the rank list that were averaged; under `clip4clip` ties make it more than the queries."""
    undefined: int = 0
    """Queries that were left out because their own score is undefined."""


def rank_metrics(records: QueryRecords, policy: TiePolicy = "expected") -> Metrics:
    """The metrics of one direction; NaN where every query is undefined."""
    return metrics_of(ranks_of(records, policy))


def metrics_from_ranks(first: Tensor, *, lower_median: bool = False) -> Metrics:
    """The metrics of ranks `(Q,)` from 1; NaN where Q is 0."""
    return metrics_of(Ranks(first.double(), torch.zeros(len(first)).double(), lower_median))


def metrics_of(ranks: Ranks) -> Metrics:
    """The metrics of the entries that have a rank."""
    known = ranks.defined()
    count, undefined = len(known.first), len(ranks.first) - len(known.first)
    recall = {k: 100 * float(credit(known.first, known.width, k).mean()) for k in ALL_RECALLS}
    if count == 0:
        return Metrics(recall, torch.nan, torch.nan, 0, undefined)
    return Metrics(recall, median_rank(known), float(mean_rank(known).mean()), count, undefined)
