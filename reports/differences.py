"""Which configurations of a table differ: letters of significance, and differences to a reference.

A pair is compared on the queries that both were asked, each query's credit averaged over its seeds; what
one training differs from the next is in the intervals, which resample seeds too, not in the p-values.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor

from core.errors import unknown_name
from core.evaluation.significance import (
    LEVEL,
    PERMUTATIONS,
    adjusted,
    permutation_test,
    smallest_detectable,
    standard_error,
)
from core.evaluation.statistics import bootstrap_difference
from reports.queries import Answers, Sample, sample_of
from reports.table import Mark, Table, number, places, signed

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


def letters_of(groups: Sequence[Mapping[str, Mapping[int, Sample]]]) -> list[dict[tuple[str, int], str]]:
    """For each group of comparable configurations, (label, K) -> letters of the rows it beats in R@K.

    A group maps label -> K -> sample. Significant means an adjusted p below 5 % over every pair of every
    group and K together; groups of more rows than letters have none.
    """
    tests: list[tuple[int, int, str, str, float]] = []
    p_values: list[Tensor] = []
    for position, group in enumerate(groups):
        names = list(group)
        if not 1 < len(names) <= len(ALPHABET):
            continue
        pairs = torch.combinations(torch.arange(len(names)))
        for k in group[names[0]]:
            values = torch.stack([group[name][k].mean() for name in names])
            p_values.append(permutation_test(values, pairs, group[names[0]][k].clusters, seed=0))
            sizes = values.mean(1)
            for left, right in pairs.tolist():
                gain = float(sizes[left] - sizes[right])
                tests.append((position, k, names[left], names[right], gain))
    found: list[dict[tuple[str, int], str]] = [{} for _ in groups]
    if not tests:
        return found
    for (position, k, left, right, gain), p in zip(tests, adjusted(torch.cat(p_values)), strict=True):
        if p < LEVEL:
            winner, loser = (left, right) if gain > 0 else (right, left)
            letter = ALPHABET[list(groups[position]).index(loser)]
            found[position][winner, k] = "".join(sorted(found[position].get((winner, k), "") + letter))
    return found


def differences_table(frame: pd.DataFrame, answers: Answers, against: str | None = None) -> Table | None:
    """R@1 of every leak-free configuration against a reference on the same gallery, both directions.

    The reference is the configuration labelled `against`, else the best one. None where nothing can be
    compared; raises `BenchError` where no configuration is labelled `against`.
    """
    if against is not None and against not in set(frame["label"]):
        raise unknown_name("configuration", against, set(frame["label"]))
    chosen = frame[(frame["condition"] == "leak-free") & (frame["rescoring"] == "none")]
    lines: list[list[str]] = []
    p_values: list[Tensor] = []
    marks: dict[tuple[int, int], Mark] = {}
    for (data, direction), group in chosen.groupby(["data", "direction"], sort=False):
        samples = {str(name): sample_of(rows, answers) for name, rows in group.groupby("label", sort=False)}
        if len(samples) < 2 or (against is not None and against not in samples):
            continue
        names = list(samples)
        means = torch.stack([sample.mean() for sample in samples.values()])  # (M, Q)
        best = int(means.mean(1).argmax()) if against is None else names.index(against)
        others = [row for row in range(len(names)) if row != best]
        pairs = torch.tensor([[row, best] for row in others])
        reference = samples[names[best]]
        p_values.append(permutation_test(means, pairs, reference.clusters, seed=0))
        points = (100 * means.mean(1)).tolist()
        for row, place in enumerate(places(points)):
            marks[len(lines) + row, 3] = Mark(place)
        for row, name in enumerate(names):
            figures = ["reference", "", ""]
            if row != best:
                credits = 100 * samples[name].credit, 100 * reference.credit
                figures = paired_difference(*credits, reference.clusters)
            lines.append([str(data), name, str(direction), number(points[row]), *figures, "", ""])
    if not lines:
        return None
    p = torch.cat(p_values)
    tested = [line for line in lines if line[4] != "reference"]
    for line, value, controlled in zip(tested, p.tolist(), adjusted(p).tolist(), strict=True):
        line[-2:] = [number(value, 4), number(controlled, 4)]
    columns = [
        "data",
        "method",
        "direction",
        "R@1",
        "delta",
        "95 % interval",
        "detectable",
        "p",
        "adjusted p",
    ]
    notes = [
        f"delta: R@1 minus the reference's ({'the best of its kind' if against is None else against}), "
        "with the bootstrap interval over queries and seeds.",
        DETECTABLE_NOTE,
        f"{TEST_NOTE} adjusted: Benjamini and Hochberg over the table.",
    ]
    return Table("Differences in R@1, leak-free", columns, lines, notes, marks)


def paired_difference(values: Tensor, others: Tensor, clusters: Tensor) -> list[str]:
    """Mean difference of two `(Q,)` or `(S, Q)`, its interval, and the smallest detectable one, as text."""
    found = bootstrap_difference(values, others, clusters, seed=0)
    differences = torch.atleast_2d(values).mean(0) - torch.atleast_2d(others).mean(0)
    detectable = smallest_detectable(standard_error(differences, clusters))
    return [signed(found.estimate), f"[{found.low:+.1f}, {found.high:+.1f}]", number(detectable)]
