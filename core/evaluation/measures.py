"""The measures: each is one entry of `MEASURES`, computed from ranks when a run is read.

A run stores ranks, not figures, so a new entry works on runs that were finished before it. Tables, page,
comparison and documentation iterate over the registry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from core.evaluation.ranking import QueryRecords
from core.evaluation.tie_policies import TiePolicy, credit, defined, rank_range, tied_positions

HUB_SIZE = 10
"""Places of a list that count for hubness."""

RECALL_AT = (1, 5, 10)
"""The K of the recalls that tables show."""


@dataclass(frozen=True)
class Ranks:
    """Where the queries of one direction rank under a tie policy; fields `(E,)`, an entry per query.

    Only `clip4clip` has more entries than queries: one for every position that a tie leaves open.
    """

    first: Tensor
    """float64: the best rank that is open to an entry, from 1; NaN where its query is undefined."""
    width: Tensor
    """float64: how many further ranks are open to it, all with equal probability."""
    lower_median: bool = False
    """Whether the median is the lower of two middle values and not their mean."""
    listed: Tensor | None = None
    """`(C,)` int64: how often each of the C candidates is among the first ten of a query; None: not known."""

    def defined(self) -> "Ranks":
        """The same without the entries that have no rank."""
        known = self.first.isfinite()
        return Ranks(self.first[known], self.width[known], self.lower_median, self.listed)


@dataclass(frozen=True)
class Measure:
    """A figure of merit of one direction."""

    name: str
    of: Callable[[Ranks], float]
    """The figure, from the defined ranks; NaN where there are none."""
    higher: bool = True
    """Whether more is better."""
    digits: int = 1
    """Decimals that are printed."""
    each: Callable[[Ranks], Tensor] | None = None
    """What each query adds to a measure that is a mean over queries, `(E,)` float64, NaN where undefined;
    such a measure has intervals and paired tests."""
    lettered: bool = False
    """Whether the rows of a table are tested against each other in it."""
    about: str = ""
    """What it is, for notes and documentation; empty where its name says it."""

    def __call__(self, ranks: Ranks) -> float:
        """The figure of the queries that are defined; NaN where none is."""
        known = ranks.defined()
        return self.of(known) if len(known.first) else torch.nan


def averaged(name: str, each: Callable[[Ranks], Tensor], **options: object) -> Measure:
    """A measure that is the mean of what each query adds."""
    return Measure(name, lambda ranks: float(each(ranks).mean()), each=each, **options)  # type: ignore[arg-type]


def recall(ranks: Ranks, k: int) -> Tensor:
    """100 times the probability that an entry's rank is at most `k`."""
    return 100 * credit(ranks.first, ranks.width, k).where(ranks.first.isfinite(), torch.nan)


def recall_sum(ranks: Ranks) -> Tensor:
    """R@1 + R@5 + R@10 of each entry."""
    return torch.stack([recall(ranks, k) for k in RECALL_AT]).sum(0)


def mean_rank(ranks: Ranks) -> Tensor:
    """The mean of the ranks that are open to an entry."""
    return ranks.first + ranks.width / 2


def reciprocal_rank(ranks: Ranks) -> Tensor:
    """100 times the mean of 1 / rank over the ranks that are open to an entry."""
    # sum of 1/r for r = a ... b is digamma(b + 1) - digamma(a)
    last = ranks.first + ranks.width
    total = torch.digamma(last + 1) - torch.digamma(ranks.first)
    return 100 * total / (ranks.width + 1)


def median_rank(ranks: Ranks) -> float:
    """The median of the entries' mean ranks."""
    means = mean_rank(ranks).sort().values
    low, high = float(means[(len(means) - 1) // 2]), float(means[len(means) // 2])
    return low if ranks.lower_median else (low + high) / 2


def hubness(ranks: Ranks) -> float:
    """Skewness of how often a candidate is among the first ten of a query; NaN where all are alike.

    Radovanovic, Nanopoulos and Ivanovic, "Hubs in Space", JMLR 11, 2010, equation 1 (S_Nk, k = 10): the
    third moment of the counts over the cube of their deviation. 0: as many popular as neglected videos;
    large: few videos crowd many lists.
    """
    if ranks.listed is None:
        return torch.nan
    counts = ranks.listed.double()
    centred = counts - counts.mean()
    deviation = centred.square().mean().sqrt()
    return float(centred.pow(3).mean() / deviation**3) if deviation > 0 else torch.nan


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        *(averaged(f"R@{k}", partial(recall, k=k), lettered=True) for k in RECALL_AT),
        Measure("MdR", median_rank, higher=False, about="median rank"),
        averaged("MnR", mean_rank, higher=False, about="mean rank"),
        averaged("MRR", reciprocal_rank, about="mean reciprocal rank, times 100"),
        averaged("SumR", recall_sum, about="R@1 + R@5 + R@10"),
        Measure(
            "hubness",
            hubness,
            higher=False,
            digits=2,
            about="skewness of how often a video is among the first ten of a query; 0: no hubs",
        ),
    )
}
"""Name -> measure, in the order of the tables; an addition here is all that a new measure takes."""

PRIMARY = MEASURES["R@1"]
"""What selects checkpoints, ranks rows and is compared."""


def ranks_of(records: QueryRecords, policy: TiePolicy = "expected", listed: Tensor | None = None) -> Ranks:
    """The ranks of one direction under a tie policy; raises `BenchError` for an unknown policy."""
    first, width = rank_range(records, policy)
    counted = defined(records, policy)
    lower_median = policy == "clip4clip" and records.direction == "t2v" and records.several_captions
    if policy == "clip4clip":
        entries = tied_positions(first[counted], width[counted]).double()
        undefined = torch.full((int((~counted).sum()),), torch.nan, dtype=torch.float64)
        first, width = torch.cat([entries, undefined]), torch.zeros(len(entries) + len(undefined))
        return Ranks(first, width.double(), lower_median, listed)
    return Ranks(first.double().where(counted, torch.nan), width.double(), lower_median, listed)
