"""The tables of a report: accuracy, strata and ceilings, rescoring, gates, differences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from reports.accuracy import cells_of, leak_table, metrics_table
from reports.against_published import published_table
from reports.collect import Run
from reports.differences import differences_table
from reports.queries import Answers
from reports.table import Table, number

Ceilings = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
"""Data set -> split -> observer -> stratum (and `all`) -> text-to-video R@1 in points."""

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

GATE_NOTE = (
    "Silent clips left out. A gate per layer is scored per clip against 'any frame matters'. `untrained`: a "
    "gate of fresh weights."
)


@dataclass(frozen=True)
class Results:
    """Everything that tables are made of."""

    runs: Sequence[Run]
    frame: pd.DataFrame
    """`frame_of` the runs."""
    answers: Answers
    """What each query came to, without rescoring."""
    ceilings: Ceilings
    """What could be reached, where a world knows it."""
    notes: Sequence[str] = field(default_factory=tuple)
    """What the labels of the runs leave out."""


def strata_table(frame: pd.DataFrame, ceilings: Ceilings) -> Table | None:
    """Leak-free text-to-video R@1 per stratum, with the world's ceilings as rows; None without strata."""
    chosen = frame[
        (frame["direction"] == "t2v") & (frame["rescoring"] == "none") & (frame["condition"] == "leak-free")
    ]
    chosen = chosen[chosen["strata"].map(bool)]
    if chosen.empty:
        return None
    known = [
        name for splits in ceilings.values() for seen in splits.values() for r in seen.values() for name in r
    ]
    found = [name for record in chosen["strata"] for name in record]
    strata = [name for name in dict.fromkeys([*known, *found]) if name in found]
    rows: list[list[str]] = []
    for data, name, cell in cells_of(chosen):
        values = [number(cell["strata"].map(lambda r, s=s: r.get(s, math.nan)).mean()) for s in strata]
        rows.append([data, name, number(cell["R@1"].mean()), *values])
    for dataset, split in dict.fromkeys(zip(chosen["dataset"], chosen["split"], strict=True)):
        for observer, record in ceilings.get(dataset, {}).get(split, {}).items():
            row = [number(record.get(s, math.nan)) for s in ("all", *strata)]
            rows.append([f"{dataset}/{split}", f"ceiling: {observer}", *row])
    notes = [
        "A ceiling is an observer that knows every mentioned fact of its kind: "
        "its expected rank among the clips that it cannot tell apart."
    ]
    return Table("Text-to-video R@1 per stratum, leak-free", ["data", "method", "all", *strata], rows, notes)


def rescoring_table(frame: pd.DataFrame) -> Table | None:
    """R@1 under each rescoring, both directions and conditions; None where nothing was rescored."""
    kinds = [kind for kind in frame["rescoring"].unique() if kind != "none"]
    if not kinds:
        return None
    rows: list[list[str]] = []
    for data, name, cell in cells_of(frame):
        row = [data, name]
        for direction in ("t2v", "v2t"):
            for kind in ("none", *kinds):
                query = cell[
                    (cell["direction"] == direction)
                    & (cell["rescoring"] == kind)
                    & (cell["condition"] == "leak-free")
                ]
                row.append(number(query["R@1"].mean()))
        rows.append(row)
    columns = ["data", "method", *(f"{d} {kind}" for d in ("t2v", "v2t") for kind in ("none", *kinds))]
    uses = frame[frame["rescoring"] != "none"].drop_duplicates("rescoring_uses")
    return Table(
        "R@1 after rescoring, leak-free",
        columns,
        rows,
        [f"{r.rescoring}: {r.rescoring_uses}." for r in uses.itertuples()],
    )


def gate_table(runs: Sequence[Run], measure: str) -> Table | None:
    """How audio gates do against the world's truth per stratum, by one of `GATE_MEASURES`.

    None where no run has gates and truth.
    """
    records = []
    for run in runs:
        for split, report in run.metrics["gates"].items():
            for gate, strata in report.get(measure, {}).items():
                records.append(
                    {"data": f"{run.spec.dataset}/{split}", "method": run.label, "gate": gate, **strata}
                )
    if not records:
        return None
    frame = pd.DataFrame(records)
    columns = [c for c in frame.columns if c not in ("data", "method", "gate")]
    rows = [
        [*map(str, keys), str(len(cell)), *(number(cell[c].mean(), 3) for c in columns)]
        for keys, cell in frame.groupby(["data", "method", "gate"], sort=False)
    ]
    title, note = GATE_MEASURES[measure]
    notes = [f"{note} {GATE_NOTE}"]
    return Table(title, ["data", "method", "gate", "seeds", *columns], rows, notes)


def main_tables(results: Results) -> list[Table]:
    """What a run is about: leak-free, beside released, strata and ceilings, gates against the truth."""
    tables = [
        metrics_table(results.frame, results.answers, "t2v"),
        leak_table(results.frame, results.answers),
        strata_table(results.frame, results.ceilings),
        gate_table(results.runs, "auroc"),
    ]
    return explained(tables, results)


def all_tables(results: Results, against: str | None = None) -> list[Table]:
    """Every table that the runs give rise to; `against` labels the reference of the differences."""
    others = [
        metrics_table(results.frame, results.answers, "v2t"),
        differences_table(results.frame, results.answers, against),
        gate_table(results.runs, "average_precision"),
        rescoring_table(results.frame),
        published_table(results.frame, results.runs, results.answers),
    ]
    return main_tables(results) + explained(others, results)


def explained(tables: Sequence[Table | None], results: Results) -> list[Table]:
    """The tables that there are, each with what the labels in it leave out."""
    return [replace(table, notes=[*results.notes, *table.notes]) for table in tables if table is not None]
