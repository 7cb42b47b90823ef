"""Whether two systems differ: paired permutation tests, and the smallest difference that could be seen.

Everything is paired by query: `values` `(M, Q)` holds what each of M systems scored on the same Q queries,
and queries of one cluster (captions of a video, clips that share their pixels) stand or fall together.
"""

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from core.evaluation.statistics import DRAWS_AT_ONCE, cluster_sums

PERMUTATIONS = 10_000
"""Random sign flips of a test."""

SIGNIFICANCE_LEVEL = 0.05
"""Two-sided level of every test and of the false discovery rate."""

POWER = 0.8
"""Chance that a difference of the smallest detectable size is found."""

SAME_SUM = 1e-9
"""Sums that differ by less are the same sum added up in another order."""


def permutation_test(
    values: Tensor, pairs: Tensor, clusters: Tensor, *, seed: int, permutations: int = PERMUTATIONS
) -> Tensor:
    """Two-sided p-values `(T,)` float64 of paired permutation tests on the mean difference.

    `values` `(M, Q)`, `pairs` `(T, 2)` int64 rows of `values` to compare, `clusters` `(Q,)` int64. Under the
    null hypothesis the two systems of a pair could be exchanged, so each cluster's difference could have had
    either sign (Fisher, "The Design of Experiments", 1935, section 21). Where at most `permutations`
    assignments exist for the clusters that differ, all are counted and p is exact; else p is
    (1 + hits) / (1 + permutations), which is never zero (Phipson and Smyth, "Permutation P-values should
    never be zero", 2010). Raises `ValueError` where a value is not finite.
    """
    if not bool(values.isfinite().all()):
        raise ValueError(f"{int((~values.isfinite()).sum())} of {values.numel()} values are not finite")
    sums = cluster_sums(values, clusters)  # (M, C)
    left, right = pairs.T
    observed = (sums[left] - sums[right]).sum(1).abs() - SAME_SUM
    hits = torch.zeros(len(pairs), dtype=torch.int64)
    for signs in sign_flips(sums.shape[1], max(len(sums), len(pairs)), seed, permutations):
        # The flipped difference of two systems is the difference of their flipped sums.
        flipped = sums @ signs  # (M, P)
        hits += ((flipped[left] - flipped[right]).abs() >= observed[:, None]).sum(1)
    sampled = (1 + hits).double() / (1 + permutations)
    differences = sums[left] - sums[right]
    few = 2.0 ** (differences.abs() > SAME_SUM).sum(1) <= permutations
    for test in few.nonzero()[:, 0].tolist():
        sampled[test] = exact_p(differences[test])
    return sampled


def sign_flips(clusters: int, width: int, seed: int, permutations: int) -> Iterator[Tensor]:
    """Random signs `(C, P)` float64, in blocks whose products with `width` rows stay small.

    The signs depend on `clusters` and `seed` only, so that a pair gets the same p alone as in a table.
    """
    generator = np.random.default_rng(seed)
    step = max(1, DRAWS_AT_ONCE // max(clusters, width))
    for start in range(0, permutations, step):
        count = min(step, permutations - start)
        words = generator.integers(2**32, size=(count, -(-clusters // 32)), dtype=np.uint32)
        flips = np.unpackbits(words.view(np.uint8), axis=1, count=clusters)
        yield 1 - 2 * torch.from_numpy(flips).T.double()


def exact_p(differences: Tensor) -> float:
    """Share of all sign assignments of `differences` `(C,)` whose sum is at least as far from zero."""
    active = differences[differences.abs() > SAME_SUM]
    reached = torch.zeros(1, dtype=torch.float64)
    for difference in active:
        reached = torch.cat([reached + difference, reached - difference])
    return float((reached.abs() >= active.sum().abs() - SAME_SUM).double().mean())


def adjusted(p_values: Tensor) -> Tensor:
    """Benjamini and Hochberg's adjusted p-values of a whole table, `(T,)`.

    Rejecting those below 5 % keeps the expected share of false discoveries below 5 % ("Controlling the False
    Discovery Rate", 1995).
    """
    if len(p_values) == 0:
        return p_values
    count = len(p_values)
    order = p_values.argsort(descending=True)
    # the smallest over equal or larger p of p * T / (rank of p)
    scaled = p_values[order] * count / torch.arange(count, 0, -1)
    return torch.empty_like(p_values).index_copy_(0, order, scaled.cummin(0).values.clamp(max=1))


def standard_error(values: Tensor, clusters: Tensor) -> float:
    """Standard error of the mean of `values` `(Q,)`, robust to dependence inside clusters.

    sqrt(C / (C - 1) * sum over clusters of (sum of residuals)^2) / Q (Liang and Zeger, "Longitudinal data
    analysis using generalized linear models", 1986); with one query per cluster the textbook s / sqrt(Q).
    NaN for a single cluster.
    """
    residuals = values.double() - values.double().mean()
    sums = cluster_sums(residuals[None], clusters)[0]
    count = len(sums)
    return float((count / (count - 1) * sums.square().sum()).sqrt() / len(values)) if count > 1 else torch.nan


def smallest_detectable(error: float, *, level: float = SIGNIFICANCE_LEVEL, power: float = POWER) -> float:
    """The smallest true difference that a two-sided test finds with probability `power`; NaN for no error.

    (z_(1 - level / 2) + z_power) * error, 2.80 errors at 5 % and 80 % (Bloom, "Minimum Detectable Effects",
    Evaluation Review 19, 1995). `error` is the standard error of the difference: `standard_error` of the
    per-query differences where queries are paired, the root of the sum of squares where they are not. An
    error of zero, where no query differs, says nothing about what could have been seen.
    """
    normal = NormalDist()
    z = normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power)
    return z * error if error > 0 else torch.nan


def binomial_error(points: float, queries: int) -> float:
    """Standard error, in points, of a share of `points` (0 to 100) of so many independent queries.

    What can be said of a published R@K whose per-query results nobody has.
    """
    return float(np.sqrt(points * (100 - points) / queries))
