"""Every measure is what a loop over queries and over the orders of ties says."""

import itertools
from statistics import fmean, median

import pytest
import torch
from scipy import stats

from core.evaluation.measures import HUB_SIZE, MEASURES, Ranks, ranks_of
from core.evaluation.ranking import text_to_video, video_to_text
from core.evaluation.tie_policies import TIE_POLICIES
from core.evaluation.top import times_listed, top_lists

ORACLES = {
    "R@1": lambda ranks: 100 * fmean(rank <= 1 for rank in ranks),
    "R@5": lambda ranks: 100 * fmean(rank <= 5 for rank in ranks),
    "R@10": lambda ranks: 100 * fmean(rank <= 10 for rank in ranks),
    "MRR": lambda ranks: 100 * fmean(1 / rank for rank in ranks),
    "MnR": fmean,
    "SumR": lambda ranks: 100 * sum(fmean(rank <= k for rank in ranks) for k in (1, 5, 10)),
}
"""Measure -> its value for certain ranks; all are linear, so ties take the mean over their orders."""


@pytest.mark.parametrize("name", ORACLES)
def test_a_mean_over_queries_is_the_mean_over_every_order_of_ties(name: str) -> None:
    first, width = [1, 2, 4, 11], [0, 2, 1, 3]
    orders = itertools.product(*(range(a, a + w + 1) for a, w in zip(first, width, strict=True)))
    expected = fmean(ORACLES[name](ranks) for ranks in orders)
    ranks = Ranks(torch.tensor(first).double(), torch.tensor(width).double())
    measure = MEASURES[name]
    assert measure(ranks) == pytest.approx(expected)
    assert measure.each is not None
    assert float(measure.each(ranks).mean()) == pytest.approx(expected)


@pytest.mark.parametrize(("ranks", "lower"), [([1, 3, 4, 9], 3.0), ([1, 2, 5], 2.0), ([7], 7.0)])
def test_the_median_is_that_of_the_ranks(ranks: list[int], lower: float) -> None:
    found = Ranks(torch.tensor(ranks).double(), torch.zeros(len(ranks)).double())
    assert MEASURES["MdR"](found) == median(ranks)
    assert MEASURES["MdR"](Ranks(found.first, found.width, lower_median=True)) == lower


@pytest.mark.parametrize("direction", ["t2v", "v2t"])
def test_hubness_is_the_skewness_of_how_often_a_candidate_is_listed(direction: str) -> None:
    """One video of 40 is near to every text."""
    generator = torch.Generator().manual_seed(3)
    scores = torch.rand(60, 40, generator=generator)
    scores[:, 7] += 1
    pairing = torch.arange(60) % 40
    rank = text_to_video if direction == "t2v" else video_to_text
    top = top_lists(scores, pairing, direction)  # type: ignore[arg-type]
    counts = [0] * 40
    for candidates in top.video[:, :HUB_SIZE].tolist():
        for candidate in candidates:
            counts[candidate] += 1
    listed = times_listed(top.video[:, :HUB_SIZE], 40)
    found = MEASURES["hubness"](ranks_of(rank(scores, pairing), listed=listed))
    assert sorted(listed.tolist()) == sorted(counts)
    assert found == pytest.approx(stats.skew(counts))
    assert (found > 2) == (direction == "t2v")


def test_without_lists_or_with_equal_counts_there_is_no_hubness() -> None:
    ranks = Ranks(torch.ones(2).double(), torch.zeros(2).double())
    assert MEASURES["hubness"](ranks) != MEASURES["hubness"](ranks)
    even = Ranks(ranks.first, ranks.width, listed=torch.full((5,), 3))
    assert MEASURES["hubness"](even) != MEASURES["hubness"](even)


@pytest.mark.parametrize("policy", TIE_POLICIES)
@pytest.mark.parametrize("name", MEASURES)
def test_undefined_queries_count_for_nothing(name: str, policy: str) -> None:
    scores = torch.rand(9, 8, generator=torch.Generator().manual_seed(0))
    broken = torch.cat([scores, torch.full((2, 8), torch.nan)])
    pairing, longer = torch.tensor([*range(8), 0]), torch.tensor([*range(8), 0, 1, 2])
    whole = ranks_of(text_to_video(scores, pairing), policy)  # type: ignore[arg-type]
    found = ranks_of(text_to_video(broken, longer, undefined="allow"), policy)  # type: ignore[arg-type]
    assert MEASURES[name](found) == pytest.approx(MEASURES[name](whole), nan_ok=True)


def test_no_defined_query_gives_no_figure() -> None:
    nothing = Ranks(torch.full((3,), torch.nan).double(), torch.zeros(3).double())
    assert all(measure(nothing) != measure(nothing) for measure in MEASURES.values())


def test_every_measure_says_its_direction_and_how_it_is_printed() -> None:
    better = {name for name, measure in MEASURES.items() if measure.higher}
    assert better == {"R@1", "R@5", "R@10", "MRR", "SumR"}
    best = Ranks(torch.ones(4).double(), torch.zeros(4).double())
    worse = Ranks(torch.full((4,), 3.0).double(), torch.zeros(4).double())
    for name in ("R@1", "MRR", "SumR", "MnR", "MdR"):
        assert (MEASURES[name](best) > MEASURES[name](worse)) == MEASURES[name].higher
