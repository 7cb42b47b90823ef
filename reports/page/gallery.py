"""The gate gallery: some clips of every run that has gates, with their sound and the gate over it."""

from collections.abc import Sequence
from typing import Any

from reports.collect import Run
from reports.gates import stored_gates
from reports.page.failures import ASKED, QUERIES, first_seeds, gates_by_video
from reports.page.library import Library
from reports.queries import read_rows

PER_STRATUM = 2
"""Clips of each stratum; of all clips together where there are no strata."""


def gate_gallery(runs: Sequence[Run], library: Library) -> list[dict[str, Any]]:
    """Clips with their gates: of each stratum those whose gates move most, by run."""
    found = []
    for run in first_seeds(runs):
        if stored_gates(run, "test") is None:
            continue
        gates = gates_by_video(run)
        filters = [(name, "==", value) for name, value in ASKED._asdict().items()]
        queries = read_rows(run.directory, "queries.parquet", QUERIES, filters).drop_duplicates("video")
        queries["moves"] = [spread(gates.get(str(video))) for video in queries["video"]]
        chosen = queries.sort_values("moves", ascending=False, kind="stable")
        for _, row in chosen.groupby("stratum", sort=True, observed=True).head(PER_STRATUM).iterrows():
            if str(row["video"]) in gates:
                found.append(
                    {
                        "label": run.label,
                        "data": run.spec.dataset,
                        "text": str(row["text"]),
                        "video": str(row["video"]),
                        "stratum": str(row["stratum"]),
                        "clip": library.key(run, str(row["video"])),
                        **gates[str(row["video"])],
                    }
                )
    return found


def spread(record: dict[str, Any] | None) -> float:
    """How far the gate of a clip moves."""
    return max(record["gate"]) - min(record["gate"]) if record else -1.0
