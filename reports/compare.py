"""`bench compare`: two runs on the same queries, their paired difference, and which queries changed."""

from pathlib import Path

import torch

from core.errors import BenchError
from core.evaluation.measures import MEASURES, mean_rank, recall
from core.evaluation.significance import permutation_test
from core.runs import RunDirectory
from reports.collect import Run, read_run
from reports.differences import DETECTABLE_NOTE, TEST_NOTE, paired_difference
from reports.queries import Answers, ResultKey, require_same_gallery
from reports.shown import FEWEST_NOTE, FEWEST_QUERIES
from reports.table import Table, number


def compare_runs(first: Path, second: Path, protocol: ResultKey, shown: int) -> list[Table]:
    """How two runs differ under a protocol, with at most `shown` changed queries for either side.

    Raises `BenchError` where a run cannot be read, was not scored under the protocol, or answered other
    queries.
    """
    runs = [read_run(RunDirectory(path)) for path in (first, second)]
    ours, theirs = (run.answered(protocol) for run in runs)
    require_same_gallery((runs[0].name, ours), (runs[1].name, theirs))
    return [difference_table(runs[0], runs[1], protocol), *changed_tables(ours, theirs, shown)]


def difference_table(first: Run, second: Run, protocol: ResultKey) -> Table:
    """Measures of both runs, the second minus the first, its interval, the smallest detectable one and p.

    Raises `BenchError` where no query has a rank in both runs.
    """
    ours, theirs = first.answered(protocol), second.answered(protocol)
    known = ours.ranks().first.isfinite() & theirs.ranks().first.isfinite()
    clusters = ours.clusters[known]
    if not len(clusters):
        raise BenchError(f"no query has a rank in both runs under '{protocol}'; there is nothing to compare")
    rows = []
    for name, measure in MEASURES.items():
        if measure.each is None:
            figures = [number(answers.figure(measure), measure.digits) for answers in (ours, theirs)]
            rows.append([name, *figures, "", "", "", ""])
            continue
        pair = torch.stack([measure.each(answers.ranks())[known] for answers in (ours, theirs)])
        p = float(permutation_test(pair, torch.tensor([[0, 1]]), clusters, seed=0)[0])
        means = (number(mean, measure.digits) for mean in pair.mean(1).tolist())
        rows.append(
            [name, *means, *paired_difference(pair[1], pair[0], clusters, measure.digits), number(p, 4)]
        )
    notes = [
        f"A: {first.name}, {first.label}. B: {second.name}, {second.label}.",
        f"n = {int(known.sum())} queries in {len(clusters.unique())} clusters; interval: 95 % bootstrap over "
        "clusters.",
        TEST_NOTE,
        DETECTABLE_NOTE,
    ]
    if int(known.sum()) < FEWEST_QUERIES:
        notes.append(FEWEST_NOTE)
    columns = ["measure", "A", "B", "B - A", "95 % interval", "detectable", "p"]
    return Table(f"Paired difference, {protocol}", columns, rows, notes, words=(0,))


def changed_tables(ours: Answers, theirs: Answers, shown: int) -> list[Table]:
    """The queries whose R@1 is better in B and those in A, lowest rank in the other run first.

    Undefined queries count for nothing. Their number is said beside that of the queries whose rank changed
    at all, which says nothing about R@1.
    """
    ranks, credits = [], []
    for answers in (ours, theirs):
        of_run = answers.ranks()
        ranks.append(mean_rank(of_run).nan_to_num(float("inf")))
        credits.append(recall(of_run, 1).nan_to_num())
    tables = []
    for winner, name in ((1, "B"), (0, "A")):
        loser = 1 - winner
        gained = (credits[winner] > credits[loser]).nonzero()[:, 0]
        moved = int((ranks[winner] < ranks[loser]).sum())
        order = ranks[loser][gained].argsort(descending=True, stable=True)
        top = gained[order][:shown].tolist()
        cells = [
            [
                str(ours.text[row]),
                str(ours.video[row]),
                number(float(ranks[0][row])),
                number(float(ranks[1][row])),
            ]
            for row in top
        ]
        notes = [
            f"R@1 changed: {len(gained)} queries are at rank 1 more often in {name}; "
            f"the {len(top)} in which the other run ranks the video lowest.",
            f"rank changed: {moved} queries rank better in {name}, at whatever rank.",
        ]
        columns = ["query", "video", "rank A", "rank B"]
        tables.append(Table(f"R@1 better in {name}", columns, cells, notes))
    return tables
