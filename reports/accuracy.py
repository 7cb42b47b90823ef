"""The tables of accuracy and cost: leak-free metrics of a direction, and what the leak would add."""

import math
from collections.abc import Iterator

import pandas as pd

from core.evaluation.significance import smallest_detectable, standard_error
from core.evaluation.statistics import bootstrap_interval
from reports.differences import ALPHABET, DETECTABLE_NOTE, letters_of
from reports.queries import RECALL, Answers, Sample, sample_of
from reports.table import Mark, Table, number, places, signed

RANKS = ("MdR", "MnR")
DIRECTIONS = {"t2v": "Text-to-video", "v2t": "Video-to-text"}

SPREAD_NOTE = (
    "±: half the 95 % bootstrap interval over queries and, where there are several, seeds; queries whose "
    "clips share their pixels or their video are resampled together. Ties count in random order (`expected`)."
)
LETTERS_NOTE = (
    "Letters: the rows (#) of the same data that this one is significantly better than, as trained here, by "
    "paired permutation tests, false discovery rate 5 % over the table. Best in bold, second underlined."
)
COST_NOTE = (
    "index s: encoding every video and building the index, backbone features given; query ms: encoding a "
    "text and scoring it against the gallery; peak GB: resident memory of the whole run, with training."
)


def cells_of(frame: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Data, label and rows of each configuration, in order of appearance."""
    for (data, name), cell in frame.groupby(["data", "label"], sort=False):
        yield str(data), str(name), cell


def metrics_table(frame: pd.DataFrame, answers: Answers, direction: str) -> Table | None:
    """Leak-free metrics of a direction and the cost, one row per configuration; None where there is none."""
    chosen = frame[
        (frame["direction"] == direction) & (frame["rescoring"] == "none") & (frame["condition"] == "leak-free")
    ]
    if chosen.empty:
        return None
    columns = ["data", "method", "#", "seeds", *RECALL, *RANKS]
    costs = ["M params", "train s", "index s", "query ms", "peak GB"]
    rows: list[list[str]] = []
    marks: dict[tuple[int, int], Mark] = {}
    groups = [group for _, group in chosen.groupby("data", sort=False)]
    samples = [
        {name: {k: sample_of(cell, answers, k) for k in RECALL.values()} for _, name, cell in cells_of(group)}
        for group in groups
    ]
    for group, sample, letters in zip(groups, samples, letters_of(samples), strict=True):
        cells = list(cells_of(group))
        for metric in (*RECALL, *RANKS):
            figures = [float(cell[metric].mean()) for _, _, cell in cells]
            ranked = places(figures, lower_is_better=metric in RANKS)
            for row, ((_, name, _), place) in enumerate(zip(cells, ranked, strict=True)):
                won = letters.get((name, RECALL.get(metric, 0)), "")
                marks[len(rows) + row, columns.index(metric)] = Mark(place, won)
        for row, (data, name, cell) in enumerate(cells):
            rows.append(
                [
                    data,
                    name,
                    ALPHABET[row] if 1 < len(cells) <= len(ALPHABET) else "",
                    str(len(cell)),
                    with_interval(float(cell["R@1"].mean()), sample[name][1]),
                    *(number(cell[metric].mean()) for metric in columns[5:]),
                    number(cell["parameters"].mean() / 1e6, 2),
                    number(cell["train_seconds"].mean(), 0),
                    number(cell["index_seconds"].mean(), 2),
                    number(cell["query_milliseconds"].mean(), 2),
                    number(cell["peak_memory_bytes"].mean() / 1e9, 2),
                ]
            )
    notes = [SPREAD_NOTE, LETTERS_NOTE, COST_NOTE]
    if any(len(sample) > len(ALPHABET) for sample in samples):
        notes.append(f"Data with more than {len(ALPHABET)} rows have no letters; see the differences.")
    return Table(f"{DIRECTIONS[direction]}, leak-free", [*columns, *costs], rows, notes, marks)


def with_interval(points: float, sample: Sample) -> str:
    """A figure ± half of its bootstrap interval."""
    interval = bootstrap_interval(100 * sample.credit, sample.clusters, seed=0)
    return f"{number(points)} ± {number((interval.high - interval.low) / 2)}"


def leak_table(frame: pd.DataFrame, answers: Answers) -> Table:
    """Leak-free R@1 beside the released condition's on the same checkpoints, with the gap, per direction."""
    chosen = frame[frame["rescoring"] == "none"]
    directions = [d for d in DIRECTIONS if d in set(chosen["direction"])]
    rows: list[list[str]] = []
    for data, name, cell in cells_of(chosen):
        row = [data, name, str(cell["run"].nunique())]
        for direction in directions:
            row += gap(cell[cell["direction"] == direction], answers)
        rows.append(row)
    columns = ["data", "method", "seeds"]
    columns += [f"{d} {c}" for d in directions for c in ("leak-free", "released", "gap", "detectable")]
    notes = [
        "released: R@1 under the authors' scoring condition on the same checkpoint; gap: released minus "
        "leak-free.",
        DETECTABLE_NOTE,
    ]
    if any("undefined" in text for row in rows for text in row):
        notes.append(
            "undefined: queries for which the released pooling has no value (some video has fewer captions); "
            "they are left out of its mean."
        )
    if (chosen["queries"] != chosen["gallery"]).any():
        notes.append(
            "Where videos have unequal numbers of captions, the released pooling has no value for some; "
            "as in the released code, these rank first."
        )
    return Table("Leak-free and released R@1 side by side", columns, rows, notes)


def gap(cell: pd.DataFrame, answers: Answers) -> list[str]:
    """Leak-free, released, their gap and the smallest detectable one, of one configuration and direction."""
    query, released = cell[cell["condition"] == "leak-free"], cell[cell["condition"] == "released"]
    undefined = int(released["undefined"].max()) if len(released) else 0
    detectable = math.nan
    if len(query) and len(released):
        ours, theirs = sample_of(query, answers), sample_of(released, answers)
        difference = 100 * (theirs.mean() - ours.mean())
        known = difference.isfinite()
        if known.any():
            detectable = smallest_detectable(standard_error(difference[known], ours.clusters[known]))
    return [
        number(query["R@1"].mean()),
        number(released["R@1"].mean()) + (f" ({undefined} undefined)" if undefined else ""),
        signed(released["R@1"].mean() - query["R@1"].mean()),
        number(detectable),
    ]
