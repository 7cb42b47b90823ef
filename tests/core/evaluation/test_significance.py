"""Permutation tests and detectable differences against scipy, enumeration, simulation and closed forms."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from core.evaluation.significance import (
    adjusted,
    binomial_error,
    permutation_test,
    smallest_detectable,
    standard_error,
)

PAIR = torch.tensor([[0, 1]])


def hits(seed: int, systems: int, queries: int, gain: float = 0.0) -> Tensor:
    """R@1 credit of some systems on the same queries; the first is better by `gain`."""
    generator = torch.Generator().manual_seed(seed)
    chance = torch.full((systems, 1), 0.4)
    chance[0] += gain
    return (torch.rand(systems, queries, generator=generator) < chance).double()


def p_of(values: Tensor, clusters: Tensor | None = None, **options: int) -> float:
    clusters = torch.arange(values.shape[1]) if clusters is None else clusters
    return float(permutation_test(values, PAIR, clusters, seed=0, **options)[0])


def test_few_differences_are_counted_exactly_as_scipy_counts_them() -> None:
    values = torch.rand(2, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    reference = stats.permutation_test(
        (values[0].numpy(), values[1].numpy()),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert p_of(values) == pytest.approx(reference.pvalue, abs=1e-12)


def test_hits_and_misses_alone_make_it_the_sign_test() -> None:
    values = torch.zeros(2, 1000)
    values[0, :9], values[1, 9:12], values[:, 12:500] = 1, 1, 1
    assert p_of(values) == pytest.approx(stats.binomtest(9, 12).pvalue, abs=1e-12)


def test_many_differences_are_sampled_close_to_the_exact_sign_test() -> None:
    values = hits(1, 2, 600, gain=0.06)
    won = int((values[0] > values[1]).sum())
    differing = int((values[0] != values[1]).sum())
    exact = stats.binomtest(won, differing).pvalue
    assert 0.005 < exact < 0.2
    assert p_of(values) == pytest.approx(exact, abs=4 * math.sqrt(exact / 10_000))


def test_queries_of_a_cluster_flip_together() -> None:
    values = torch.rand(2, 24, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    clusters = torch.arange(8).repeat_interleave(3)
    differences = (values[0] - values[1]).reshape(8, 3).sum(1).numpy()
    sums = [abs(float(np.dot(signs, differences))) for signs in product([1, -1], repeat=8)]
    expected = np.mean([s >= abs(differences.sum()) - 1e-12 for s in sums])
    assert p_of(values, clusters) == pytest.approx(expected, abs=1e-12)
    assert p_of(values.repeat_interleave(5, 1), clusters.repeat_interleave(5)) == pytest.approx(expected)


def test_a_p_value_is_never_zero_and_equal_systems_have_one() -> None:
    values = torch.stack([torch.ones(100), torch.zeros(100)])
    assert p_of(values, permutations=999) == 1 / 1000
    assert p_of(torch.stack([values[0], values[0]])) == 1


def test_under_the_null_hypothesis_p_is_uniform() -> None:
    rng = torch.Generator().manual_seed(3)
    values = torch.randn(400, 60, generator=rng, dtype=torch.float64)
    pairs = torch.arange(400).reshape(200, 2)
    found = permutation_test(values, pairs, torch.arange(60), seed=0, permutations=999)
    assert stats.kstest(found.numpy(), "uniform").pvalue > 0.01


def test_a_pair_in_a_table_gets_the_p_that_it_gets_alone() -> None:
    values = hits(4, 6, 300, gain=0.1)
    pairs = torch.combinations(torch.arange(6))
    table = permutation_test(values, pairs, torch.arange(300), seed=5, permutations=2000)
    for (left, right), p in zip(pairs.tolist(), table.tolist(), strict=True):
        alone = permutation_test(values[[left, right]], PAIR, torch.arange(300), seed=5, permutations=2000)
        assert float(alone[0]) == p


def test_undefined_values_have_no_test() -> None:
    with pytest.raises(ValueError, match="1 of 4 values"):
        p_of(torch.tensor([[1.0, torch.nan], [0.0, 1.0]]))


def test_adjusted_p_values_follow_benjamini_and_hochbergs_definition() -> None:
    p = torch.rand(20, generator=torch.Generator().manual_seed(6), dtype=torch.float64) ** 3
    ordered = sorted(p.tolist())
    expected = [
        min(min(1.0, 20 * q / (i + 1)) for i, q in enumerate(ordered) if q >= value) for value in p.tolist()
    ]
    assert adjusted(p).tolist() == pytest.approx(expected)
    assert len(adjusted(torch.zeros(0))) == 0


def test_the_error_of_single_queries_is_the_textbooks() -> None:
    values = torch.rand(80, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    assert standard_error(values, torch.arange(80)) == pytest.approx(float(stats.sem(values.numpy())))


def test_repeating_every_query_does_not_make_a_mean_surer() -> None:
    values = torch.rand(40, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    once = standard_error(values, torch.arange(40))
    repeated = standard_error(values.repeat_interleave(6), torch.arange(40).repeat_interleave(6))
    assert repeated == pytest.approx(once)
    assert math.isnan(standard_error(values, torch.zeros(40, dtype=torch.int64)))


@pytest.mark.slow
def test_the_smallest_detectable_difference_is_found_four_times_out_of_five() -> None:
    rng, queries = np.random.default_rng(0), 400
    effect = smallest_detectable(1 / math.sqrt(queries))
    found = [stats.ttest_1samp(rng.normal(effect, 1, queries), 0).pvalue < 0.05 for _ in range(4000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.02)


def test_a_thousand_queries_at_fifty_percent_see_six_points_between_unpaired_runs() -> None:
    error = binomial_error(50.0, 1000)
    assert error == pytest.approx(100 * math.sqrt(0.5 * 0.5 / 1000))
    assert smallest_detectable(math.hypot(error, error)) == pytest.approx(6.265, abs=1e-3)
    assert math.isnan(smallest_detectable(0.0))


def test_ranx_finds_the_same_p_by_its_own_sign_flips() -> None:
    from ranx.statistical_tests.fisher_randomization_test import fisher_randomization_test

    count = 4_000
    values = torch.rand(2, 300, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    values[0] += 0.05
    theirs, _ = fisher_randomization_test(values[0].numpy(), values[1].numpy(), n_permutations=count)
    assert 0.005 < theirs < 0.2
    assert p_of(values, permutations=20_000) == pytest.approx(theirs, abs=5 * math.sqrt(theirs / count))
