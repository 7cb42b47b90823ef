"""What a trained model does without its sound or its picture: one table with paired intervals."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from core.evaluation.measures import PRIMARY
from core.evaluation.significance import permutation_test
from core.spec import RunSpec
from reports.differences import DETECTABLE_NOTE, TEST_NOTE, PairedDifference, both_settled
from reports.labels import Labels
from reports.results import Results, SeededRows, row_marks
from reports.table import DASH, Table, number

IN_WORDS = {
    ("audio", "muted"): "without sound",
    ("audio", "exchanged"): "with another clip's sound",
    ("audio", "shifted"): "with its sound shifted by half",
    ("audio", "noise"): "with noise for its sound",
    ("picture", "blank"): "with black frames",
    ("picture", "shuffled"): "with its frames shuffled",
}
"""A change of what is scored, for people."""
AS_IS = "as is"

SAME_WEIGHTS_NOTE = "Same weights, same texts; only features of the scored videos change."
DELTA_NOTE = (
    "delta: R@1 minus that as is, with the paired bootstrap interval over queries and, where there are "
    "several, seeds."
)
STRATA_NOTE = (
    "R@1 minus that as is, with its paired 95 % bootstrap interval; what muting takes away is what a model "
    "owes to the sound."
)


def condition_in_words(spec: RunSpec) -> str:
    """What a cell changes of the scored videos, e.g. `without sound`; `as is` where it changes nothing."""
    changes = [words for (part, how), words in IN_WORDS.items() if getattr(spec.evaluation, part) == how]
    return " and ".join(changes) or AS_IS


def place_of_condition(spec: RunSpec) -> tuple[int, ...]:
    """Where a condition stands in the table: as is, changed sound, changed pictures, both."""
    changes = enumerate(IN_WORDS, start=1)
    return tuple(n for n, (part, how) in changes if getattr(spec.evaluation, part) == how)


def unchanged(spec: RunSpec) -> RunSpec:
    """The cell that differs in nothing but that it changes nothing."""
    plain = spec.evaluation.model_copy(update={"audio": "as-is", "picture": "as-is"})
    return spec.model_copy(update={"evaluation": plain})


def ablation_table(results: Results) -> Table | None:
    """R@1 of each changed condition beside the same weights as they are; None where nothing was changed."""
    rows: list[list[str]] = []
    for name, plain, group in ablated_groups(results):
        for cell in group:
            n = str(cell.answers.entry.protocol.queries)
            row = [cell.data, name, condition_in_words(cell.run.spec), n, number(cell.figure())]
            rows.append([*row, *difference(cell, plain)])
    if not rows:
        return None
    notes = [SAME_WEIGHTS_NOTE, DELTA_NOTE, DETECTABLE_NOTE, TEST_NOTE]
    columns = ["data", "method", "condition", "n", "R@1", "delta", "95 % interval", "detectable", "p"]
    return Table("R@1 as is and with changed sound or pictures", columns, rows, notes, words=(0, 1, 2))


def ablated_strata_table(results: Results) -> Table | None:
    """What each change does to R@1 of the queries of each stratum; None without changes or strata."""
    rows: list[list[str]] = []
    strata: list[str] = []
    for name, plain, group in ablated_groups(results):
        names = [found for found in dict.fromkeys(plain.answers.stratum.tolist()) if found]
        strata = list(dict.fromkeys([*strata, *names]))
        for cell in group[1:]:
            changes = {stratum: changed_within(cell, plain, stratum) for stratum in names}
            row = [cell.data, name, condition_in_words(cell.run.spec), str(len(cell.rows))]
            rows.append([*row, *(changes.get(stratum, DASH) for stratum in strata)])
    if not strata:
        return None
    for row in rows:  # an earlier data set does not know the strata of a later one
        row += [DASH] * (4 + len(strata) - len(row))
    title = "What changed sound or pictures do to R@1, per stratum"
    columns = ["data", "method", "condition", "seeds", *strata]
    return Table(title, columns, rows, [SAME_WEIGHTS_NOTE, STRATA_NOTE], words=(0, 1, 2))


def ablated_groups(results: Results) -> Iterator[tuple[str, SeededRows, list[SeededRows]]]:
    """Each model that was scored as is and changed: its label, the cell as is, all its cells in order."""
    groups = weights_groups(results)
    labels = Labels.among([unchanged(run.spec) for run in results.runs]) if groups else None
    for group in groups.values():
        ordered = sorted(group, key=lambda cell: place_of_condition(cell.run.spec))
        plain = ordered[0]
        if labels is not None and condition_in_words(plain.run.spec) == AS_IS and len(ordered) > 1:
            yield labels.of(unchanged(plain.run.spec)) + row_marks(plain.run), plain, ordered


def weights_groups(results: Results) -> dict[tuple[str, ...], list[SeededRows]]:
    """The leak-free cells of each model on each gallery: the same weights under different conditions."""
    groups: dict[tuple[str, ...], list[SeededRows]] = {}
    for cell in results.cells(condition="leak-free", rescoring="none", direction="t2v"):
        prints = sorted(str(row.run.manifest.fingerprints.get("weights", "")) for row in cell.rows)
        if all(prints):
            plain = unchanged(cell.run.spec).canonical()
            groups.setdefault((cell.data, plain, *prints), []).append(cell)
    return groups


def difference(cell: SeededRows, plain: SeededRows) -> Sequence[str]:
    """What a condition changes, its interval, what could have been seen, and p; nothing for `plain`."""
    if cell is plain:
        return [AS_IS, "", "", ""]
    samples = [one.sample(PRIMARY) for one in (cell, plain)]
    found = PairedDifference.of(samples[0].values, samples[1].values, samples[1].clusters).cells()
    means = torch.stack([sample.mean() for sample in samples])
    if not both_settled(plain.run):
        return [*found, DASH]
    p = permutation_test(means, torch.tensor([[0, 1]]), samples[1].clusters, seed=0)
    return [*found, number(float(p[0]), 4)]


def changed_within(cell: SeededRows, plain: SeededRows, stratum: str) -> str:
    """R@1 of a stratum's queries minus that of `plain`, with its interval where there are enough of them."""
    rows = torch.from_numpy(np.flatnonzero(plain.answers.stratum == stratum))
    changed, as_is = (one.sample(PRIMARY) for one in (cell, plain))
    found = PairedDifference.of(changed.values[:, rows], as_is.values[:, rows], as_is.clusters[rows])
    delta, interval, _ = found.cells()
    return delta if interval == DASH else f"{delta} ({interval})"
