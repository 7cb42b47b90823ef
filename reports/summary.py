"""The one table in which `bench run` ends: it fits 80 columns, everything else is in the report."""

from functools import partial

from core.evaluation.measures import MEASURES
from core.examples import in_lines
from reports.accuracy import Pair, beside_released
from reports.convergence import unmeasured_notes
from reports.header import data_point, data_points, told_apart
from reports.results import Results
from reports.shown import UNDEFINED_NOTE, gap, shown_interval
from reports.table import Table

SUMMARY_MEASURES = ("R@1", "R@5", "MdR")


def first_splits(results: Results) -> dict[str, str]:
    """Data set -> its first split, of which a summary is."""
    return {run.spec.dataset: run.spec.evaluation.splits[0] for run in reversed(results.runs)}


def first_pairs(results: Results) -> list[Pair]:
    """Each configuration on the first split of its data set, text-to-video, under both conditions."""
    first = first_splits(results)
    return [
        pair
        for pair in beside_released(results, "t2v")
        if pair.any.protocol.split == first[pair.any.run.spec.dataset]
    ]


def summary_table(results: Results) -> Table | None:
    """Text-to-video, leak-free: some measures, R@1 as released and the gap, on each data set's first split.

    None where nothing was scored without rescoring.
    """
    pairs = first_pairs(results)
    if not pairs:
        return None
    several = len({pair.any.data for pair in pairs}) > 1
    rows = [
        [
            f"{pair.any.label}, {pair.any.data}" if several else pair.any.label,
            *(shown_interval(pair.clean, MEASURES[name]) for name in SUMMARY_MEASURES),
            shown_interval(pair.released),
            gap(pair.released, pair.clean),
        ]
        for pair in pairs
    ]
    sizes = dict.fromkeys(f"{p.any.data}: {p.any.answers.entry.protocol.queries} queries" for p in pairs)
    notes = [
        *results.notes,
        f"{'; '.join(sizes)}. released: R@1 under the authors' scoring condition; "
        "gap: what that changes, taken before rounding.",
    ]
    notes += unmeasured_notes(results.runs)
    for name in first_splits(results):
        runs = [run for run in results.runs if run.spec.dataset == name]
        for point in data_points(runs):
            notes += in_lines(f"{name}: {point}: {told_apart(runs, partial(data_point, name=point))}")
    if any("undefined" in text for row in rows for text in row):
        notes.append(UNDEFINED_NOTE)
    title = "Text-to-video, leak-free" + ("" if several else f", {pairs[0].any.data}")
    return Table(title, ["method", *SUMMARY_MEASURES, "released", "gap"], rows, notes, words=(0,))
