"""The rows of the page's table, and the ranks from which it compares two runs."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import torch

from core.evaluation.statistics import bootstrap_interval
from reports.collect import Run
from reports.queries import RECALL, Outcomes, Protocol, read_rows
from reports.tables import Results

METRICS = (*RECALL, "MdR", "MnR")
BADGES = {"leak-free": "leak-free", "released": "released scoring"}
COMPARED = tuple(Protocol("test", direction=direction) for direction in ("t2v", "v2t"))


def result_rows(results: Results) -> list[dict[str, Any]]:
    """A row per run, split, condition, rescoring and direction."""
    selection = {run.directory.path.name: run.spec.training.selection for run in results.runs}
    return [
        {
            **{
                key: row[key]
                for key in ("run", "label", "data", "seed", "direction", "condition", "rescoring")
            },
            **{metric: float(row[metric]) for metric in METRICS},
            "milliseconds": float(row["query_milliseconds"]),
            "badge": BADGES[row["condition"]],
            "protocol": f"{row['split']} split, {row['queries']} queries, {row['gallery']} candidates, "
            f"rescoring {row['rescoring']} ({row['rescoring_uses']}), checkpoint by "
            f"{selection[row['run']]}, ties in random order, gallery {row['gallery_fingerprint'][:8]}",
            "interval": interval(results, row),
        }
        for row in results.frame.to_dict("records")
    ]


def interval(results: Results, row: Mapping[Hashable, Any]) -> str:
    """The 95 % bootstrap interval of a row's R@1 as text; empty for rescored and undefined results."""
    outcomes = results.answers[row["run"]].get(Protocol(*(row[name] for name in Protocol._fields)))
    if outcomes is None or not bool(outcomes.best.isfinite().all()):
        return ""
    found = bootstrap_interval(100 * outcomes.credit(), outcomes.clusters, seed=0)
    return f"{found.low:.1f} to {found.high:.1f}"


def galleries(results: Results) -> list[dict[str, Any]]:
    """Queries of each gallery and direction once, with the ranks of every run that was asked them."""
    by_name = {run.directory.path.name: run for run in results.runs}
    frame = results.frame
    found = []
    for protocol in COMPARED:
        chosen = frame[(frame[list(Protocol._fields)] == list(protocol)).all(axis=1)]
        for (data, _), rows in chosen.groupby(["data", "gallery_fingerprint"], sort=False):
            runs = [by_name[name] for name in rows["run"]]
            queries = questions(runs[0], protocol)
            found.append(
                {
                    "name": f"{data}, {protocol.direction}",
                    "texts": queries["text"].astype(str).tolist(),
                    "videos": queries["video"].astype(str).tolist(),
                    "clusters": runs[0].answers[protocol].clusters.tolist(),
                    "runs": [
                        {"run": name, "label": text, **ranks(by_name[name].answers[protocol])}
                        for name, text in zip(rows["run"], rows["label"], strict=True)
                    ],
                }
            )
    return found


def questions(run: Run, protocol: Protocol) -> pd.DataFrame:
    """Text and video of each query."""
    filters = [(name, "==", value) for name, value in protocol._asdict().items()]
    return read_rows(run.directory, "queries.parquet", ["text", "video"], filters)


def ranks(outcomes: Outcomes) -> dict[str, list[int]]:
    """Rank with ties behind, and how many tie; 0 for an undefined query."""
    best = outcomes.best.nan_to_num(0)
    ties = torch.where(outcomes.best.isfinite(), outcomes.worst - outcomes.best, 0)
    return {"best": best.long().tolist(), "ties": ties.long().tolist()}
