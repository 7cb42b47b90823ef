"""`bench compare`: two runs on the same queries, their paired difference, and which queries changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor

from core.errors import BenchError
from core.evaluation.measures import MEASURES, mean_rank, recall
from core.evaluation.significance import permutation_test
from core.runs import RunDirectory
from reports.collect import Run, read_run
from reports.convergence import unmeasured_notes
from reports.differences import DETECTABLE_NOTE, TEST_NOTE, PairedDifference, both_settled
from reports.queries import Answers, ResultKey, require_same_gallery
from reports.results import named_among
from reports.shown import FEWEST_NOTE, FEWEST_QUERIES
from reports.table import Table, number


@dataclass(frozen=True)
class MeasureInBoth:
    """A measure in both runs, and how it differs."""

    measure: str
    first: float
    second: float
    paired: PairedDifference | None
    """Second minus first; None for a measure that is no mean over queries."""
    p: float | None
    """Of the paired permutation test; None with `paired`, and where a run is not known to have converged."""


@dataclass(frozen=True)
class TwoRuns:
    """Two runs that answered the same queries."""

    runs: tuple[Run, Run]
    protocol: ResultKey
    shown: int
    """Changed queries that are named for either side."""
    notes: Sequence[str]
    """What the labels of the runs leave out, and what their marks mean."""

    @classmethod
    def of(
        cls, first: Path, second: Path, protocol: ResultKey, shown: int, stratum: str | None = None
    ) -> Self:
        """Reads two runs, with `stratum` its queries alone.

        Raises `BenchError` where one cannot be read, was not scored under the protocol, answered other
        queries, or has none of that stratum.
        """
        runs, notes = named_among([read_run(RunDirectory(first)), read_run(RunDirectory(second))])
        if stratum is not None:
            runs = [run.within(stratum) for run in runs]
        ours, theirs = (run.answered(protocol) for run in runs)
        require_same_gallery((runs[0].name, ours), (runs[1].name, theirs))
        notes += unmeasured_notes(runs)
        return cls((runs[0], runs[1]), protocol, shown, notes)

    def tables(self) -> list[Table]:
        """The difference, and the queries that changed; raises `BenchError` where none has a rank in both."""
        ours, theirs = (run.answered(self.protocol) for run in self.runs)
        difference = difference_table(*self.runs, self.protocol, self.notes)
        return [difference, *changed_tables(ours, theirs, self.shown)]

    def record(self) -> dict[str, Any]:
        """The same for programs."""
        ours, theirs = (run.answered(self.protocol) for run in self.runs)
        names = [{"name": run.name, "label": run.label} for run in self.runs]
        better = {
            "better_in_second": gained_queries(ours, theirs, "second"),
            "better_in_first": gained_queries(ours, theirs, "first"),
        }
        return {
            "first": names[0],
            "second": names[1],
            "protocol": self.protocol._asdict(),
            "stratum": ours.part or None,
            "queries": int(known_in_both(ours, theirs).sum()),
            "measures": measures_in_both(*self.runs, self.protocol),
            "notes": self.notes,
            **{side: {"count": len(rows), "shown": rows[: self.shown]} for side, rows in better.items()},
        }


def known_in_both(ours: Answers, theirs: Answers) -> Tensor:
    """Which queries have a rank in both runs, `(Q,)` bool."""
    return ours.ranks().first.isfinite() & theirs.ranks().first.isfinite()


def measures_in_both(first: Run, second: Run, protocol: ResultKey) -> list[MeasureInBoth]:
    """Every measure of both runs; raises `BenchError` where no query has a rank in both."""
    ours, theirs = first.answered(protocol), second.answered(protocol)
    settled = both_settled(first, second)
    known = known_in_both(ours, theirs)
    clusters = ours.clusters[known]
    if not len(clusters):
        raise BenchError(f"no query has a rank in both runs under '{protocol}'; there is nothing to compare")
    found = []
    for name, measure in MEASURES.items():
        if measure.each is None:
            found.append(MeasureInBoth(name, ours.figure(measure), theirs.figure(measure), None, None))
            continue
        pair = torch.stack([measure.each(answers.ranks())[known] for answers in (ours, theirs)])
        p = float(permutation_test(pair, torch.tensor([[0, 1]]), clusters, seed=0)[0]) if settled else None
        a, b = pair.mean(1).tolist()
        found.append(MeasureInBoth(name, a, b, PairedDifference.of(pair[1], pair[0], clusters), p))
    return found


def difference_table(first: Run, second: Run, protocol: ResultKey, remarks: Sequence[str] = ()) -> Table:
    """Measures of both runs, the second minus the first, its interval, the smallest detectable one and p.

    `remarks` are on the labels of the runs. Raises as `measures_in_both`.
    """
    ours, theirs = first.answered(protocol), second.answered(protocol)
    rows = []
    for found in measures_in_both(first, second, protocol):
        digits = MEASURES[found.measure].digits
        figures = [number(figure, digits) for figure in (found.first, found.second)]
        compared = [*found.paired.cells(digits), number(found.p, 4)] if found.paired else [""] * 4
        rows.append([found.measure, *figures, *compared])
    known = known_in_both(ours, theirs)
    clusters = ours.clusters[known]
    notes = [
        f"A: {first.name}, {first.label}. B: {second.name}, {second.label}.",
        *remarks,
        f"n = {int(known.sum())} queries in {len(clusters.unique())} clusters; interval: 95 % bootstrap over "
        "clusters. B - A is taken before rounding.",
        TEST_NOTE,
        DETECTABLE_NOTE,
    ]
    if int(known.sum()) < FEWEST_QUERIES:
        notes.append(FEWEST_NOTE)
    columns = ["measure", "A", "B", "B - A", "95 % interval", "detectable", "p"]
    part = f", {ours.part}" if ours.part else ""
    return Table(f"Paired difference, {protocol}{part}", columns, rows, notes, words=(0,))


@dataclass(frozen=True)
class ChangedQuery:
    """A query whose R@1 is better in one of two runs."""

    query: str
    video: str
    rank_first: float
    """Mean of the ranks that are open to it."""
    rank_second: float


def gained_queries(ours: Answers, theirs: Answers, side: Literal["first", "second"]) -> list[ChangedQuery]:
    """The queries whose R@1 is better on one side, lowest rank in the other run first.

    Undefined queries count for nothing.
    """
    winner = ("first", "second").index(side)
    ranks = [mean_rank(answers.ranks()).nan_to_num(float("inf")) for answers in (ours, theirs)]
    credits = [recall(answers.ranks(), 1).nan_to_num() for answers in (ours, theirs)]
    gained = (credits[winner] > credits[1 - winner]).nonzero()[:, 0]
    order = ranks[1 - winner][gained].argsort(descending=True, stable=True)
    return [
        ChangedQuery(str(ours.text[row]), str(ours.video[row]), float(ranks[0][row]), float(ranks[1][row]))
        for row in gained[order].tolist()
    ]


def moved_queries(ours: Answers, theirs: Answers, side: Literal["first", "second"]) -> int:
    """How many queries rank better on one side, at whatever rank."""
    first, second = (mean_rank(answers.ranks()).nan_to_num(float("inf")) for answers in (ours, theirs))
    return int((first < second).sum() if side == "first" else (second < first).sum())


def changed_tables(ours: Answers, theirs: Answers, shown: int) -> list[Table]:
    """At most `shown` queries whose R@1 is better in B, and as many of those in A.

    Their number is said beside that of the queries whose rank changed at all, which says nothing about R@1.
    """
    sides: tuple[tuple[Literal["first", "second"], str], ...] = (("second", "B"), ("first", "A"))
    tables = []
    for side, name in sides:
        gained = gained_queries(ours, theirs, side)
        cells = [[q.query, q.video, number(q.rank_first), number(q.rank_second)] for q in gained[:shown]]
        moved = moved_queries(ours, theirs, side)
        notes = [
            f"R@1 changed: {len(gained)} queries are at rank 1 more often in {name}; "
            f"the {len(cells)} in which the other run ranks the video lowest.",
            f"rank changed: {moved} queries rank better in {name}, at whatever rank.",
        ]
        columns = ["query", "video", "rank A", "rank B"]
        tables.append(Table(f"R@1 better in {name}", columns, cells, notes))
    return tables
