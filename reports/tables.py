"""The tables of a report: accuracy, strata and ceilings, rescoring, gates, differences."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from core.evaluation.measures import PRIMARY
from reports.ablation import ablated_strata_table, ablation_table
from reports.accuracy import leak_table, metrics_table
from reports.against_published import published_table
from reports.differences import differences_table
from reports.gallery_size import gallery_table
from reports.results import Results, SeededRows
from reports.shown import UNDEFINED_NOTE, shown_interval
from reports.table import DASH, Table, number

GATE_MEASURES = {
    "auroc": (
        "Audio gates against the truth",
        "AUROC of the gate against the frames in which the sound matters. `within`: mean over clips that "
        "have both kinds of frames.",
    ),
    "average_precision": (
        "Average precision of audio gates",
        "Average precision of the gate against the frames in which the sound matters; `share of`: how many "
        "do, which is what a gate without an order would reach.",
    ),
}
"""Measure in metrics.json -> title of its table and what it means."""

CEILING = "ceiling: "
"""With what the table of strata names an observer."""

GATE_NOTE = (
    "Silent clips left out. A gate per layer is scored per clip against 'any frame matters'. `untrained`: a "
    "gate of fresh weights."
)

LAYER_NOTE = (
    "The sign of a gate per layer (AVIGATE's tanh, -1 to 1) has no meaning of its own: the next projection "
    "can turn it round. An AUROC below .5 orders the clips as well as its mirror image above."
)


def strata_table(results: Results) -> Table | None:
    """Leak-free text-to-video R@1 per stratum, with the data set's ceilings as rows; None without strata."""
    cells = [
        cell
        for cell in results.cells(condition="leak-free", rescoring="none", direction="t2v")
        if cell.answers.strata(PRIMARY)
    ]
    if not cells:
        return None
    found = dict.fromkeys(name for cell in cells for name in cell.answers.strata(PRIMARY))
    known = [
        name
        for splits in results.ceilings.values()
        for seen in splits.values()
        for record in seen.values()
        for name in record
    ]
    strata = [name for name in dict.fromkeys([*known, *found]) if name in found]
    rows: list[list[str]] = []
    for cell in cells:
        values = [number(stratum_figure(cell, name)) for name in strata]
        n = str(cell.answers.entry.protocol.queries)
        rows.append([cell.data, cell.label, n, number(cell.figure()), *values])
    every = cells[0].answers.part or "all"
    for dataset, split in dict.fromkeys((c.run.spec.dataset, c.protocol.split) for c in cells):
        for observer, record in results.ceilings.get(dataset, {}).get(split, {}).items():
            row = [number(record.get(name, math.nan)) for name in (every, *strata)]
            rows.append([f"{dataset}/{split}", CEILING + observer, DASH, *row])
    notes = [
        f"Queries per stratum: {'; '.join(dict.fromkeys(map(stratum_sizes, cells)))}.",
        "A ceiling is an observer that knows every mentioned fact of its kind: "
        "its expected rank among the clips that it cannot tell apart.",
    ]
    columns = ["data", "method", "n", "all", *strata]
    return Table("Text-to-video R@1 per stratum, leak-free", columns, rows, notes)


def stratum_figure(cell: SeededRows, stratum: str) -> float:
    """R@1 of the queries of a stratum, averaged over the seeds; NaN where it has none."""
    return fmean(row.answers.strata(PRIMARY).get(stratum, math.nan) for row in cell.rows)


def stratum_sizes(cell: SeededRows) -> str:
    """How many queries of a cell's data each stratum has."""
    names = cell.answers.stratum.tolist()
    sizes = ", ".join(f"{name} {names.count(name)}" for name in dict.fromkeys(names))
    return f"{cell.data}: {sizes}"


def rescoring_table(results: Results) -> Table | None:
    """R@1 under each rescoring, both directions; None where nothing was rescored."""
    kinds = list(dict.fromkeys(row.protocol.rescoring for row in results.rows))
    kinds = [kind for kind in kinds if kind != "none"]
    if not kinds:
        return None
    columns = [(d, kind) for d in ("t2v", "v2t") for kind in ("none", *kinds)]
    lines: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    counts: dict[tuple[str, str], str] = {}
    for cell in results.cells(condition="leak-free"):
        key = (cell.data, cell.label)
        asked = (cell.protocol.direction, cell.protocol.rescoring)
        lines.setdefault(key, {})[asked] = shown_interval(cell)
        counts.setdefault(key, str(cell.answers.entry.protocol.queries))
    same = ("v2t", "dsl"), ("v2t", "none")
    for line in lines.values():
        if same[0] in line and line[same[0]] == line.get(same[1]):
            line[same[0]] = DASH
    rows = [
        [data, name, counts[data, name], *(line.get(column, DASH) for column in columns)]
        for (data, name), line in lines.items()
    ]
    uses = dict.fromkeys(
        f"{row.protocol.rescoring}: {row.answers.entry.protocol.rescoring_uses}."
        for row in results.rows
        if row.protocol.rescoring != "none"
    )
    notes = list(uses)
    if "dsl" in kinds:
        notes.append(
            "v2t dsl, where not printed: it equals v2t none by construction, because the softmax is over the "
            "texts and keeps their order for every video."
        )
    if "qb-norm" in kinds:
        notes.append(
            "v2t qb-norm: not defined; rescored rows stand on different scales, so texts cannot be compared "
            "with each other."
        )
    if any(text.startswith("undefined") for row in rows for text in row):
        notes.append(UNDEFINED_NOTE)
    names = ["data", "method", "n", *(f"{direction} {kind}" for direction, kind in columns)]
    return Table("R@1 after rescoring, leak-free", names, rows, notes)


def gate_table(results: Results, measure: str) -> Table | None:
    """How audio gates do against the truth per stratum, by one of `GATE_MEASURES`.

    None where no run has gates and truth.
    """
    records: dict[tuple[str, str, str, str], list[dict[str, float]]] = {}
    for run in results.runs:
        for split, gates in run.gates.items():
            audible = str(int(gates.audible.sum()))
            for gate, strata in getattr(gates.scores, measure).items():
                key = (f"{run.spec.dataset}/{split}", run.label, gate, audible)
                records.setdefault(key, []).append(dict(strata))
    if not records:
        return None
    columns = list(dict.fromkeys(name for found in records.values() for one in found for name in one))
    rows = [
        [
            *key,
            str(len(found)),
            *(number(mean_known([one.get(c, math.nan) for one in found]), 3) for c in columns),
        ]
        for key, found in records.items()
    ]
    title, note = GATE_MEASURES[measure]
    notes = [f"{note} {GATE_NOTE} n: audible clips, of whose gates the figures are."]
    if any(not gates.per_frame for run in results.runs for gates in run.gates.values()):
        notes.append(LAYER_NOTE)
    return Table(title, ["data", "method", "gate", "n", "seeds", *columns], rows, notes, words=(0, 1, 2))


def mean_known(values: Sequence[float]) -> float:
    """The mean of the values that exist; NaN where none does."""
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan


def main_tables(results: Results) -> list[Table]:
    """What a run is about: leak-free, beside released, strata and ceilings, gates against the truth."""
    tables = [
        metrics_table(results, "t2v"),
        leak_table(results),
        strata_table(results),
        gate_table(results, "auroc"),
    ]
    return explained(tables, results)


def all_tables(results: Results, against: str | None = None) -> list[Table]:
    """Every table that the runs give rise to; `against` labels the reference of the differences."""
    others = [
        metrics_table(results, "v2t"),
        differences_table(results, against),
        gate_table(results, "average_precision"),
        rescoring_table(results),
        published_table(results),
        *evaluation_tables(results),
    ]
    return main_tables(results) + explained(others, results)


def evaluation_tables(results: Results) -> list[Table | None]:
    """What only `bench evaluate` gives rise to: changed sound or pictures, enlarged galleries."""
    return [ablation_table(results), ablated_strata_table(results), gallery_table(results)]


def explained(tables: Sequence[Table | None], results: Results) -> list[Table]:
    """The tables that there are, each with what the labels in it leave out."""
    return [replace(table, notes=[*results.notes, *table.notes]) for table in tables if table is not None]
