"""Which configurations of a table differ: letters of significance, and differences to a reference.

A pair is compared on the queries that both were asked, each query's credit averaged over its seeds; what
one training differs from the next is in the intervals, which resample seeds too, not in the p-values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from core.errors import unknown_name
from core.evaluation.measures import MEASURES
from core.evaluation.significance import (
    PERMUTATIONS,
    SIGNIFICANCE_LEVEL,
    adjusted,
    permutation_test,
    smallest_detectable,
    standard_error,
)
from core.evaluation.statistics import bootstrap_difference
from core.plugins import in_their_case
from reports.collect import Run
from reports.convergence import learning, unmeasured_notes
from reports.results import Results, SeededRows
from reports.shown import FEWEST_QUERIES
from reports.table import DASH, Mark, Table, number, places, signed

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
"""A letter per row; with more rows nobody could read them."""

DETECTABLE_NOTE = (
    "detectable: the smallest true difference that a two-sided test at 5 % finds with 80 % power on these "
    "queries, judged by how the paired differences spread; a true difference below it is easily missed."
)

TEST_NOTE = (
    f"p: paired permutation test, {PERMUTATIONS:,} sign flips of whole clusters, exact where there are "
    "fewer; it speaks of these trained models."
)


def letters_of(groups: Sequence[Sequence[SeededRows]]) -> list[dict[tuple[str, str], str]]:
    """For each group of comparable cells, (label, measure) -> letters of the rows it is better than.

    Significant means an adjusted p below 5 % over every pair of every group and lettered measure together;
    groups of more rows than letters have none, nor has a row that has not converged.
    """
    tests: list[tuple[int, str, int, int, float]] = []
    p_values: list[Tensor] = []
    for position, cells in enumerate(groups):
        if not 1 < len(cells) <= len(ALPHABET):
            continue
        settled = torch.tensor([row for row, cell in enumerate(cells) if both_settled(cell.run)])
        if len(settled) < 2:
            continue
        pairs = torch.combinations(settled)
        for name, measure in MEASURES.items():
            if not measure.lettered:
                continue
            samples = [cell.sample(measure) for cell in cells]
            values = torch.stack([sample.mean() for sample in samples])
            p_values.append(permutation_test(values, pairs, samples[0].clusters, seed=0))
            sizes = values.mean(1) if measure.higher else -values.mean(1)
            for left, right in pairs.tolist():
                tests.append((position, name, left, right, float(sizes[left] - sizes[right])))
    found: list[dict[tuple[str, str], str]] = [{} for _ in groups]
    if not tests:
        return found
    for (position, name, left, right, gain), p in zip(tests, adjusted(torch.cat(p_values)), strict=True):
        if p < SIGNIFICANCE_LEVEL:
            winner, loser = (left, right) if gain > 0 else (right, left)
            key = groups[position][winner].label, name
            found[position][key] = "".join(sorted(found[position].get(key, "") + ALPHABET[loser]))
    return found


def both_settled(*runs: Run) -> bool:
    """Whether none of the runs would change with more training, by what was measured of it."""
    return not any(learning(run) for run in runs)


def differences_table(results: Results, against: str | None = None) -> Table | None:
    """R@1 of every leak-free configuration against a reference on the same gallery, both directions.

    The reference is the configuration labelled `against`, else the best one. None where nothing can be
    compared; raises `BenchError` where no configuration is labelled `against`.
    """
    labels = {row.run.label for row in results.rows}
    if against is not None:
        against = in_their_case(against, tuple(labels))
        if against not in labels:
            raise unknown_name("configuration", against, labels)
    lines: list[list[str]] = []
    to_fill: list[list[str]] = []  # lines whose p is found once all are known
    p_values: list[Tensor] = []
    marks: dict[tuple[int, int], Mark] = {}
    for direction in ("t2v", "v2t"):
        groups = results.by_data(condition="leak-free", rescoring="none", direction=direction)
        for data, cells in groups.items():
            names = [cell.label for cell in cells]
            if len(cells) < 2 or (against is not None and against not in names):
                continue
            samples = [cell.sample() for cell in cells]
            means = torch.stack([sample.mean() for sample in samples])  # (M, Q)
            best = int(means.mean(1).argmax()) if against is None else names.index(against)
            reference = cells[best].run
            tested = [n for n, c in enumerate(cells) if n != best and both_settled(c.run, reference)]
            if tested:
                pairs = torch.tensor([[row, best] for row in tested])
                p_values.append(permutation_test(means, pairs, samples[best].clusters, seed=0))
            points = [cell.figure() for cell in cells]
            for row, place in enumerate(places(points)):
                marks[len(lines) + row, 4] = Mark(place)
            for row, name in enumerate(names):
                figures = ["reference", "", ""]
                if row != best:
                    clusters = samples[best].clusters
                    figures = PairedDifference.of(samples[row].values, samples[best].values, clusters).cells()
                n = str(cells[row].answers.entry.protocol.queries)
                line = [data, name, direction, n, number(points[row]), *figures, "", ""]
                lines.append(line)
                if row in tested:
                    to_fill.append(line)
                elif row != best:
                    line[-2:] = [DASH, DASH]
    if not lines:
        return None
    if to_fill:
        p = torch.cat(p_values)
        for line, value, controlled in zip(to_fill, p.tolist(), adjusted(p).tolist(), strict=True):
            line[-2:] = [number(value, 4), number(controlled, 4)]
    columns = ["data", "method", "direction", "n", "R@1", "delta", "95 % interval", "detectable"]
    columns += ["p", "adjusted p"]
    notes = [
        f"delta: R@1 minus the reference's ({'the best of its kind' if against is None else against}), "
        "taken before rounding, with the bootstrap interval over queries and seeds.",
        DETECTABLE_NOTE,
        f"{TEST_NOTE} adjusted: Benjamini and Hochberg over the table.",
        *unmeasured_notes([row.run for row in results.rows]),
    ]
    return Table("Differences in R@1, leak-free", columns, lines, notes, marks, words=(0, 1, 2))


@dataclass(frozen=True)
class PairedDifference:
    """The mean of what each query gains or loses."""

    estimate: float
    low: float
    """Of the 95 % bootstrap interval; NaN where there are too few queries, as `high`."""
    high: float
    detectable: float
    """The smallest true difference that such a comparison finds (see `DETECTABLE_NOTE`)."""

    @classmethod
    def of(cls, values: Tensor, others: Tensor, clusters: Tensor) -> Self:
        """The mean difference of two `(Q,)` or `(S, Q)`: `values` minus `others`."""
        found = bootstrap_difference(values, others, clusters, seed=0)
        differences = torch.atleast_2d(values).mean(0) - torch.atleast_2d(others).mean(0)
        detectable = smallest_detectable(standard_error(differences, clusters))
        enough = len(clusters) >= FEWEST_QUERIES
        low, high = (found.low, found.high) if enough else (math.nan, math.nan)
        return cls(found.estimate, low, high, detectable)

    def cells(self, digits: int = 1) -> list[str]:
        """Difference, interval and the smallest detectable one, as text."""
        known = math.isfinite(self.low)
        interval = f"{signed(self.low, digits)} to {signed(self.high, digits)}" if known else DASH
        return [signed(self.estimate, digits), interval, number(self.detectable, digits)]
