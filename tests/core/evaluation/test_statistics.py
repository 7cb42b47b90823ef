"""Intervals and AUROC against scipy, torchmetrics, closed forms and pair loops."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from core.evaluation.statistics import (
    auroc,
    average_precision,
    bootstrap_difference,
    bootstrap_interval,
    within_group_auroc,
)


def gates(seed: int, count: int, *, levels: int | None = None) -> tuple[Tensor, Tensor]:
    """Scores with many ties where `levels` is given, and labels that they tell something about."""
    generator = torch.Generator().manual_seed(seed)
    positive = torch.rand(count, generator=generator) < 0.4
    scores = (torch.rand(count, generator=generator) + 0.5 * positive) / 2
    return ((scores * levels).round() / levels if levels else scores), positive


def loop_auroc(scores: Tensor, positive: Tensor) -> float:
    """Share of (positive, negative) pairs in the right order, ties half."""
    wins = [
        1.0 if p > n else 0.5 if p == n else 0.0
        for p in scores[positive].tolist()
        for n in scores[~positive].tolist()
    ]
    return sum(wins) / len(wins)


@pytest.mark.parametrize("levels", [None, 4])
def test_auroc_equals_the_pair_loop_and_mann_whitney(levels: int | None) -> None:
    scores, positive = gates(0, 60, levels=levels)
    u = stats.mannwhitneyu(scores[positive], scores[~positive]).statistic
    assert auroc(scores, positive) == pytest.approx(loop_auroc(scores, positive), abs=1e-12)
    assert auroc(scores, positive) == pytest.approx(
        u / (int(positive.sum()) * int((~positive).sum())), abs=1e-12
    )


def test_a_constant_gate_has_auroc_one_half_and_a_perfect_one_has_one() -> None:
    positive = torch.tensor([True, False, True, False])
    assert auroc(torch.full((4,), 0.3), positive) == 0.5
    assert auroc(positive.float(), positive) == 1.0
    assert auroc(-positive.float(), positive) == 0.0


@pytest.mark.parametrize("label", [True, False])
def test_one_kind_alone_has_no_auroc(label: bool) -> None:
    assert math.isnan(auroc(torch.tensor([0.1, 0.2]), torch.tensor([label, label])))


def test_within_clip_auroc_is_the_mean_over_clips_that_have_both_kinds() -> None:
    scores, positive = gates(1, 90, levels=6)
    clips = torch.randint(0, 12, (90,), generator=torch.Generator().manual_seed(2)) * 5
    positive[clips == 10] = True
    each = [
        loop_auroc(scores[clips == c], positive[clips == c])
        for c in clips.unique()
        if 0 < int(positive[clips == c].sum()) < int((clips == c).sum())
    ]
    value, counted = within_group_auroc(scores, positive, clips)
    assert counted == len(each)
    assert value == pytest.approx(sum(each) / len(each), abs=1e-12)


def test_a_gate_per_clip_says_nothing_within_clips() -> None:
    clips = torch.arange(10).repeat_interleave(6)
    positive = torch.arange(60) % 2 == 0
    assert within_group_auroc(torch.rand(10)[clips], positive, clips) == (0.5, 10)


@pytest.mark.parametrize("levels", [None, 5])
def test_average_precision_is_the_mean_precision_at_each_positives_score(levels: int | None) -> None:
    scores, positive = gates(3, 80, levels=levels)
    precisions = [float(positive[scores >= score].double().mean()) for score in scores[positive]]
    assert average_precision(scores, positive) == pytest.approx(sum(precisions) / len(precisions), abs=1e-12)


def test_average_precision_of_a_constant_scorer_is_the_share_of_positives() -> None:
    positive = torch.tensor([True, False, False, False])
    assert average_precision(torch.zeros(4), positive) == 0.25
    assert math.isnan(average_precision(torch.zeros(4), torch.zeros(4, dtype=torch.bool)))


def test_an_interval_of_single_queries_equals_scipys_bootstrap() -> None:
    values = torch.rand(200, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    reference = stats.bootstrap(
        (values.numpy(),), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(0)
    ).confidence_interval
    ours = bootstrap_interval(values, torch.arange(200), seed=0, resamples=20_000)
    width = reference.high - reference.low
    assert ours.low == pytest.approx(reference.low, abs=0.03 * width)
    assert ours.high == pytest.approx(reference.high, abs=0.03 * width)
    assert ours.estimate == pytest.approx(float(values.mean()))


def test_clusters_of_equal_values_are_as_wide_as_their_number_says() -> None:
    one_each = torch.rand(40, generator=torch.Generator().manual_seed(5))
    plain = bootstrap_interval(one_each, torch.arange(40), seed=1)
    repeated = bootstrap_interval(
        one_each.repeat_interleave(20), torch.arange(40).repeat_interleave(20), seed=1
    )
    assert (repeated.low, repeated.high) == pytest.approx((plain.low, plain.high))


def test_clusters_of_unequal_size_equal_a_loop_over_resamples() -> None:
    values = torch.rand(30, generator=torch.Generator().manual_seed(6), dtype=torch.float64).numpy()
    clusters = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 5, 5, 5])
    rng = np.random.default_rng(0)
    means = [
        np.concatenate([values[clusters == c] for c in rng.integers(0, 8, 8)]).mean() for _ in range(20_000)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    ours = bootstrap_interval(torch.tensor(values), torch.tensor(clusters), seed=0, resamples=20_000)
    assert ours.low == pytest.approx(low, abs=0.03 * (high - low))
    assert ours.high == pytest.approx(high, abs=0.03 * (high - low))


def test_an_interval_depends_on_its_seed_only() -> None:
    values, clusters = torch.rand(50), torch.arange(50)
    assert bootstrap_interval(values, clusters, seed=3) == bootstrap_interval(values, clusters, seed=3)
    assert bootstrap_interval(values, clusters, seed=3) != bootstrap_interval(values, clusters, seed=4)


def test_undefined_values_have_no_interval_and_no_order() -> None:
    with pytest.raises(ValueError, match="1 of 2"):
        bootstrap_interval(torch.tensor([1.0, torch.nan]), torch.arange(2), seed=0)
    with pytest.raises(ValueError, match="0 of 0"):
        bootstrap_interval(torch.zeros(0), torch.zeros(0), seed=0)
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        auroc(torch.tensor([1.0, torch.nan]), torch.tensor([True, False]))


def seeds_and_queries(seed: int, seeds: int, queries: int) -> Tensor:
    """Values `(S, Q)` whose seeds and queries both differ from one another."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randn(seeds, 1, generator=generator, dtype=torch.float64)
    return levels + torch.randn(seeds, queries, generator=generator, dtype=torch.float64)


def test_an_interval_over_seeds_equals_a_loop_that_draws_both() -> None:
    values, clusters = seeds_and_queries(7, 4, 24), np.repeat(np.arange(8), 3)
    rng = np.random.default_rng(0)
    means = []
    for _ in range(20_000):
        columns = np.concatenate([np.flatnonzero(clusters == c) for c in rng.integers(0, 8, 8)])
        means.append(values.numpy()[np.ix_(rng.integers(0, 4, 4), columns)].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    ours = bootstrap_interval(values, torch.tensor(clusters), seed=0, resamples=20_000)
    assert ours.estimate == pytest.approx(float(values.mean()))
    assert ours.low == pytest.approx(low, abs=0.03 * (high - low))
    assert ours.high == pytest.approx(high, abs=0.03 * (high - low))


def test_one_seed_adds_nothing_to_an_interval() -> None:
    values = torch.rand(50)
    alone = bootstrap_interval(values, torch.arange(50), seed=2)
    assert bootstrap_interval(values[None], torch.arange(50), seed=2) == alone
    assert bootstrap_interval(values.expand(3, 50), torch.arange(50), seed=2).low == pytest.approx(alone.low)


def test_an_interval_of_a_difference_equals_a_loop_that_pairs_the_queries() -> None:
    values, others = seeds_and_queries(8, 3, 30), seeds_and_queries(9, 2, 30)
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(20_000):
        columns = rng.integers(0, 30, 30)
        ours, theirs = rng.integers(0, 3, 3), rng.integers(0, 2, 2)
        differences.append(
            values.numpy()[np.ix_(ours, columns)].mean() - others.numpy()[np.ix_(theirs, columns)].mean()
        )
    low, high = np.quantile(differences, [0.025, 0.975])
    found = bootstrap_difference(values, others, torch.arange(30), seed=0, resamples=20_000)
    assert found.estimate == pytest.approx(float(values.mean() - others.mean()))
    assert found.low == pytest.approx(low, abs=0.03 * (high - low))
    assert found.high == pytest.approx(high, abs=0.03 * (high - low))


def test_a_constant_gain_on_the_same_queries_has_no_width() -> None:
    values = torch.rand(40, generator=torch.Generator().manual_seed(10), dtype=torch.float64)
    found = bootstrap_difference(values + 0.25, values, torch.arange(40), seed=0)
    assert (found.low, found.high) == pytest.approx((0.25, 0.25))
