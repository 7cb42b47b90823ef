"""`bench compare`: two runs on the same queries, their paired difference, and who changed sides."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from core.errors import BenchError
from core.evaluation.significance import permutation_test
from core.runs import RunDirectory
from reports.collect import Run, read_run
from reports.differences import DETECTABLE_NOTE, TEST_NOTE, paired_difference
from reports.queries import RECALL, Outcomes, Protocol, read_outcomes, read_rows, require_same_gallery
from reports.table import Table, number


def compare(first: Path, second: Path, protocol: Protocol, shown: int) -> list[Table]:
    """Tables of how two runs differ under a protocol, with at most `shown` changed queries for either side.

    Raises `BenchError` where a run cannot be read, lacks the protocol, or was asked other queries.
    """
    runs = [read_run(RunDirectory(path)) for path in (first, second)]
    require_same_gallery(*(entry_of(run, protocol) for run in runs))
    difference = difference_table(runs[0], runs[1], protocol)
    return [difference, *changed_tables(runs[0], runs[1], protocol, shown)]


def entry_of(run: Run, protocol: Protocol) -> Mapping[str, Any]:
    """The run's result under a protocol; raises `BenchError` naming those that it has."""
    found = {}
    for result in run.metrics["results"]:
        entry = {**result["protocol"], "direction": result["direction"], "run": run.directory.path.name}
        found[Protocol(*(entry[name] for name in Protocol._fields))] = entry
    if protocol not in found:
        raise BenchError(
            f"{run.directory.path.name} was not scored under '{protocol}'; "
            f"it has: {', '.join(map(str, found))}"
        )
    return found[protocol]


def difference_table(first: Run, second: Run, protocol: Protocol) -> Table:
    """Metrics of both runs, the second minus the first, its interval, the smallest detectable one and p.

    Raises `BenchError` where no query has a rank in both runs.
    """
    ours, theirs = (read_outcomes(run.directory, **protocol._asdict())[protocol] for run in (first, second))
    known = ours.best.isfinite() & theirs.best.isfinite()
    clusters = ours.clusters[known]
    if not len(clusters):
        raise BenchError(f"no query has a rank in both runs under '{protocol}'; there is nothing to compare")
    rows = []
    for name, values, others in paired_values(ours, theirs):
        pair = torch.stack([values[known], others[known]])
        p = float(permutation_test(pair, torch.tensor([[0, 1]]), clusters, seed=0)[0])
        means = (number(mean) for mean in pair.mean(1).tolist())
        rows.append([name, *means, *paired_difference(pair[1], pair[0], clusters), number(p, 4)])
    notes = [
        f"A: {first.directory.path.name}, {first.label}. B: {second.directory.path.name}, {second.label}.",
        f"{int(known.sum())} queries in {len(clusters.unique())} clusters; interval: 95 % bootstrap over "
        "clusters.",
        TEST_NOTE,
        DETECTABLE_NOTE,
    ]
    columns = ["metric", "A", "B", "B - A", "95 % interval", "detectable", "p"]
    return Table(f"Paired difference, {protocol}", columns, rows, notes, words=(0,))


def paired_values(ours: Outcomes, theirs: Outcomes) -> list[tuple[str, Tensor, Tensor]]:
    """Metric and what each query adds to it in either run, `(Q,)`: points of R@K, and ranks."""
    recalls = [(name, 100 * ours.credit(k), 100 * theirs.credit(k)) for name, k in RECALL.items()]
    return [*recalls, ("MnR", (ours.best + ours.worst) / 2, (theirs.best + theirs.worst) / 2)]


def changed_tables(first: Run, second: Run, protocol: Protocol, shown: int) -> list[Table]:
    """The queries that only B finds at rank 1 and those that only A finds, those that fell furthest first."""
    ours, theirs = (changes(run, protocol) for run in (first, second))
    tables = []
    for winner, loser, name in ((theirs, ours, "B"), (ours, theirs, "A")):
        gained = winner["credit"] > loser["credit"]
        rows = ours.assign(a=ours["rank"], b=theirs["rank"], lost=loser["rank"])[gained]
        rows = rows.sort_values("lost", ascending=False, kind="stable")
        top = rows[:shown]
        cells = [
            [text, video, number(a), number(b)]
            for text, video, a, b in zip(top["text"], top["video"], top["a"], top["b"], strict=True)
        ]
        notes = [f"{len(rows)} queries; the {len(cells)} in which the other run ranks the video lowest."]
        tables.append(
            Table(f"Rank 1 more often in {name}", ["query", "video", "rank A", "rank B"], cells, notes)
        )
    return tables


def changes(run: Run, protocol: Protocol) -> pd.DataFrame:
    """Text, video, rank and R@1 credit of each query; undefined queries count for nothing."""
    filters = [(name, "==", value) for name, value in protocol._asdict().items()]
    rows = read_rows(run.directory, "queries.parquet", ["text", "video", "rank_expected"], filters)
    outcomes = read_outcomes(run.directory, **protocol._asdict())[protocol]
    return rows.assign(rank=rows["rank_expected"], credit=outcomes.credit().nan_to_num().numpy())
