"""The queries that a run answers worst, with what it showed instead."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from torch import Tensor

from reports.collect import Run
from reports.gates import has_gate_per_frame, stored_gates
from reports.page.library import Library
from reports.queries import Protocol, read_rows

PER_RUN = 12
"""Failures of a run."""
SHOWN = 5
"""Candidates of a query."""
ASKED = Protocol("test")

QUERIES = ["query", "text", "video", "stratum", "rank_expected", "own_score"]


def failures(runs: Sequence[Run], library: Library) -> list[dict[str, Any]]:
    """The worst answers of one run per configuration, run by run; the worst get their clips first."""
    found = [worst_answers(run) for run in first_seeds(runs)]
    for place in range(PER_RUN):
        for run, records in found:
            for record in records[place : place + 1]:
                record["clip"] = library.key(run, record["video"])
                for candidate in record["top"]:
                    candidate["clip"] = library.key(run, candidate["video"])
    return [record for _, records in found for record in records]


def first_seeds(runs: Sequence[Run]) -> list[Run]:
    """One run of each configuration and data set that was scored on its test split."""
    first: dict[tuple[str, str], Run] = {}
    for run in runs:
        if ASKED in run.answers:
            first.setdefault((run.spec.dataset, run.label), run)
    return list(first.values())


def worst_answers(run: Run) -> tuple[Run, list[dict[str, Any]]]:
    """A run and its failures, the lowest rank of the true video first."""
    filters = [(name, "==", value) for name, value in ASKED._asdict().items()]
    queries = read_rows(run.directory, "queries.parquet", QUERIES, filters)
    worst = queries[queries["rank_expected"] > 1].sort_values("rank_expected", ascending=False, kind="stable")
    worst = worst[:PER_RUN]
    top = read_rows(run.directory, "top.parquet", ["query", "position", "video", "score"], filters)
    top = top[(top["position"] <= SHOWN) & top["query"].isin(worst["query"])].sort_values("position")
    gates = gates_by_video(run)
    return run, [failure(run, row, top[top["query"] == row["query"]], gates) for _, row in worst.iterrows()]


def failure(run: Run, row: Any, top: pd.DataFrame, gates: Mapping[str, Any]) -> dict[str, Any]:
    """A failure as the page's script reads it."""
    return {
        "run": run.directory.path.name,
        "label": run.label,
        "data": run.spec.dataset,
        "text": str(row["text"]),
        "video": str(row["video"]),
        "stratum": str(row["stratum"]),
        "rank": float(row["rank_expected"]),
        "score": float(row["own_score"]),
        "top": [
            {"video": str(video), "score": float(score)}
            for video, score in zip(top["video"], top["score"], strict=True)
        ],
        **gates.get(str(row["video"]), {"gate": None, "axis": None, "truth": None}),
    }


def gates_by_video(run: Run) -> dict[str, dict[str, Any]]:
    """The gate of each video's first caption and, where known, where the sound matters, by its name."""
    stored = stored_gates(run, "test")
    if stored is None:
        return {}
    names, axis = video_names(run), "frame" if has_gate_per_frame(run) else "layer"
    truth = stored.get("truth")
    return {
        names[position]: {
            "gate": rounded(stored["gates"][row]),
            "axis": axis,
            "truth": None if truth is None else rounded(truth[row]),
        }
        for row, position in enumerate(stored["video"].tolist())
        if position in names
    }


def video_names(run: Run) -> dict[int, str]:
    """Position in the test split -> name of each video that has a caption."""
    filters = [(name, "==", value) for name, value in ASKED._replace(direction="v2t")._asdict().items()]
    rows = read_rows(run.directory, "queries.parquet", ["query", "video"], filters)
    return dict(zip(rows["query"].tolist(), rows["video"].astype(str), strict=True))


def rounded(values: Tensor) -> list[float]:
    """A row of numbers at the precision of a drawing."""
    return [round(value, 3) for value in values.double().tolist()]
