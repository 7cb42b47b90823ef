"""The tables of a report as data: title, columns, rows of text (`reports/write.py` prints them)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from reports.collect import Run, label

METRICS = ("R@1", "R@5", "R@10", "MdR", "MnR")
KEYS = ["dataset", "split", "label"]
Ceilings = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
"""Data set -> split -> observer -> stratum (and `all`) -> text-to-video R@1 in points."""


@dataclass(frozen=True)
class Table:
    """A table as it is printed."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)
    """Lines under the table."""


def number(value: float, digits: int = 1) -> str:
    """A figure, or a dash where it does not exist."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def cells_of(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str, str], pd.DataFrame]]:
    """The rows of each data set, split and configuration, in order of appearance."""
    for keys, cell in frame.groupby(KEYS, sort=False):
        dataset, split, name = map(str, keys)
        yield (dataset, split, name), cell


def spread(cell: pd.DataFrame, column: str) -> str:
    """Mean over seeds ± standard deviation; with one seed R@1 ± half its interval."""
    mean = number(cell[column].mean())
    if len(cell) > 1:
        return f"{mean} ± {number(cell[column].std())}"
    interval = cell["interval"].iloc[0] if len(cell) and column == "R@1" else None
    if interval is not None:
        return f"{mean} ± {number((interval[1] - interval[0]) / 2)}"
    return mean


SPREAD_NOTE = (
    "±: standard deviation over seeds; with one seed half the 95 % bootstrap interval over groups of clips "
    "that share their pixels. Ties count in random order (`expected`)."
)


def leak_table(frame: pd.DataFrame, direction: str) -> Table:
    """Leak-free metrics with the released condition and the gap beside them, one row per configuration."""
    rows: list[list[str]] = []
    chosen = frame[(frame["direction"] == direction) & (frame["rescoring"] == "none")]
    for (dataset, split, name), cell in cells_of(chosen):
        query, released = cell[cell["condition"] == "query"], cell[cell["condition"] == "released"]
        gap = released["R@1"].mean() - query["R@1"].mean()
        undefined = int(released["undefined"].max()) if len(released) else 0
        leaky = number(released["R@1"].mean()) + (f" ({undefined} undefined)" if undefined else "")
        rows.append(
            [
                f"{dataset}/{split}",
                name,
                str(cell["seed"].nunique()),
                spread(query, "R@1"),
                *(number(query[metric].mean()) for metric in METRICS[1:]),
                leaky,
                f"{gap:+.1f}" if not math.isnan(gap) else "–",
                f"{cell['parameters'].mean() / 1e6:.2f}",
                number(cell["train_seconds"].mean(), 0),
                number(cell["score_seconds"].mean(), 1),
            ]
        )
    title = {"t2v": "Text-to-video", "v2t": "Video-to-text"}[direction]
    columns = ["data", "method", "seeds", *METRICS, "released R@1", "gap", "M params", "train s", "score s"]
    notes = [
        SPREAD_NOTE,
        "released: the authors' scoring condition on the same checkpoint; gap: released minus leak-free.",
    ]
    if any("undefined" in row[8] for row in rows):
        notes.append(
            "undefined: queries for which the released pooling has no value (some video has fewer captions); "
            "they are left out of its mean."
        )
    if (chosen["queries"] != chosen["gallery"]).any():
        notes.append(
            "Where videos have unequal numbers of captions, the released pooling has no value for some; "
            "as in the released code, these rank first."
        )
    return Table(f"{title}, leak-free", columns, rows, notes)


def strata_table(frame: pd.DataFrame, ceilings: Ceilings) -> Table | None:
    """Leak-free text-to-video R@1 per stratum, with the world's ceilings as rows; None without strata."""
    chosen = frame[
        (frame["direction"] == "t2v") & (frame["rescoring"] == "none") & (frame["condition"] == "query")
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
    for (dataset, split, name), cell in cells_of(chosen):
        values = [number(cell["strata"].map(lambda r, s=s: r.get(s, math.nan)).mean()) for s in strata]
        rows.append([f"{dataset}/{split}", name, number(cell["R@1"].mean()), *values])
    places = dict.fromkeys((dataset, split) for (dataset, split, _), _ in cells_of(chosen))
    for dataset, split in places:
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
    for (dataset, split, name), cell in cells_of(frame):
        row = [f"{dataset}/{split}", name]
        for direction in ("t2v", "v2t"):
            for kind in ("none", *kinds):
                query = cell[
                    (cell["direction"] == direction)
                    & (cell["rescoring"] == kind)
                    & (cell["condition"] == "query")
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


def gate_table(runs: Sequence[Run]) -> Table | None:
    """AUROC of audio gates against the world's truth per stratum; None where no run has gates and truth."""
    records = []
    for run in runs:
        for split, report in run.metrics["gates"].items():
            for gate, strata in report["auroc"].items():
                records.append(
                    {"data": f"{run.spec.dataset}/{split}", "method": label(run.spec), "gate": gate, **strata}
                )
    if not records:
        return None
    frame = pd.DataFrame(records)
    columns = [c for c in frame.columns if c not in ("data", "method", "gate")]
    rows = [
        [*map(str, keys), str(len(cell)), *(number(cell[c].mean(), 3) for c in columns)]
        for keys, cell in frame.groupby(["data", "method", "gate"], sort=False)
    ]
    notes = [
        "AUROC of the gate against the frames in which the sound matters; silent clips left out. "
        "`within`: mean over clips that have both kinds of frames. A gate per layer is scored per clip "
        "against 'any frame matters'. `untrained`: a gate of fresh weights.",
    ]
    return Table("Audio gates against the truth", ["data", "method", "gate", "seeds", *columns], rows, notes)


def main_tables(frame: pd.DataFrame, runs: Sequence[Run], ceilings: Ceilings) -> list[Table]:
    """What a run is about: leak-free beside released, strata and ceilings, gates against the truth."""
    tables = [leak_table(frame, "t2v"), strata_table(frame, ceilings), gate_table(runs)]
    return [table for table in tables if table is not None]


def all_tables(frame: pd.DataFrame, runs: Sequence[Run], ceilings: Ceilings) -> list[Table]:
    """Every table that the runs give rise to."""
    others = [leak_table(frame, "v2t"), rescoring_table(frame)]
    return main_tables(frame, runs, ceilings) + [table for table in others if table is not None]
