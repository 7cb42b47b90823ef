"""The one reader of results: typed rows of finished runs, by protocol and by configuration."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from core.evaluation.measures import PRIMARY, Measure
from core.evaluation.tie_policies import TiePolicy
from core.spec import RunSpec
from reports.collect import Run, code_marks
from reports.convergence import convergence_notes, learning_mark
from reports.labels import Labels
from reports.queries import Answers, ResultKey
from reports.training_data import seen_mark, seen_notes

Ceilings = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
"""Data set -> split -> observer -> stratum (and `all`) -> text-to-video R@1 in points."""


@dataclass(frozen=True)
class SeedRow:
    """One run under one protocol and direction."""

    run: Run
    answers: Answers
    data: str
    """Data set and split, the gallery too where one name stands for several, and the stratum of which alone
    the queries are."""

    @property
    def protocol(self) -> ResultKey:
        """What it was scored under."""
        return self.answers.protocol

    def figure(self, measure: Measure = PRIMARY, policy: TiePolicy = "expected") -> float:
        """A measure over its queries; NaN where none has a rank."""
        return self.answers.figure(measure, policy)


@dataclass(frozen=True)
class Sample:
    """What each query adds to a measure that is a mean over queries."""

    values: Tensor
    """`(S, Q)` float64, a row per seed; NaN where undefined."""
    clusters: Tensor
    """`(Q,)` int64: which queries stand or fall together."""

    def mean(self) -> Tensor:
        """What each query adds, averaged over the seeds, `(Q,)`."""
        return self.values.mean(0)

    def known(self) -> Tensor:
        """Which queries have a rank under every seed, `(Q,)` bool."""
        return self.values.isfinite().all(0)


@dataclass(frozen=True)
class SeededRows:
    """One configuration on one gallery under one protocol: a row per seed."""

    data: str
    label: str
    rows: Sequence[SeedRow]

    @property
    def run(self) -> Run:
        """Its first run; the others differ from it in their seeds only."""
        return self.rows[0].run

    @property
    def answers(self) -> Answers:
        """What its first run answered."""
        return self.rows[0].answers

    @property
    def protocol(self) -> ResultKey:
        """What it was scored under."""
        return self.answers.protocol

    @property
    def undefined(self) -> int:
        """Queries that have no rank, at most, in one of its runs."""
        return max(row.answers.undefined() for row in self.rows)

    def figure(self, measure: Measure = PRIMARY, policy: TiePolicy = "expected") -> float:
        """A measure, averaged over the seeds; NaN where a run has no ranks."""
        return sum(row.figure(measure, policy) for row in self.rows) / len(self.rows)

    def sample(self, measure: Measure = PRIMARY) -> Sample:
        """What each query adds to a measure; raises `ValueError` where it is no mean over queries."""
        if measure.each is None:
            raise ValueError(f"{measure.name} is no mean over queries")
        values = torch.stack([measure.each(row.answers.ranks()) for row in self.rows])
        return Sample(values, self.answers.clusters)


@dataclass(frozen=True)
class Results:
    """The runs of one report, in the order in which every table, figure and page shows them."""

    runs: Sequence[Run]
    rows: Sequence[SeedRow]
    ceilings: Ceilings
    """What could be reached, where a data set knows it."""
    notes: Sequence[str]
    """What the labels of the runs leave out."""

    @classmethod
    def of(cls, runs: Sequence[Run], ceilings: Ceilings | None = None) -> Self:
        """The results of some finished runs, each named by what tells it from the others."""
        named, notes = named_among(runs)
        ordered = sorted(named, key=lambda run: (run.spec.dataset, natural(run.label), seeds_of(run.spec)))
        return cls(ordered, seed_rows(ordered), ceilings or {}, notes)

    def select(
        self,
        *,
        split: str | None = None,
        condition: str | None = None,
        rescoring: str | None = None,
        direction: str | None = None,
    ) -> list[SeedRow]:
        """The rows that agree with every field that is given."""
        asked = (split, condition, rescoring, direction)
        return [
            row
            for row in self.rows
            if all(wanted in (None, found) for wanted, found in zip(asked, row.protocol, strict=True))
        ]

    def cells(self, **protocol: str | None) -> list[SeededRows]:
        """The selected rows by data, configuration and protocol, in the order of the rows."""
        groups: dict[tuple[str, str, ResultKey], list[SeedRow]] = {}
        for row in self.select(**protocol):
            groups.setdefault((row.data, row.run.label, row.protocol), []).append(row)
        return [SeededRows(data, label, rows) for (data, label, _), rows in groups.items()]

    def by_data(self, **protocol: str | None) -> dict[str, list[SeededRows]]:
        """The selected cells of each gallery: those that can be compared."""
        found: dict[str, list[SeededRows]] = {}
        for cell in self.cells(**protocol):
            found.setdefault(cell.data, []).append(cell)
        return found


def named_among(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs, at least one, each named by what tells it from the others; and what the names leave out."""
    labels = Labels.among([run.spec for run in runs])
    marks = code_marks(runs)
    named = [
        replace(run, label=labels.of(run.spec) + mark + row_marks(run))
        for run, mark in zip(runs, marks, strict=True)
    ]
    return named, [*labels.notes, *convergence_notes(named), *seen_notes(named)]


def row_marks(run: Run) -> str:
    """What stands behind the label of a run, whatever the label is: how far its figures can be trusted."""
    return learning_mark(run) + seen_mark(run)


def seed_rows(runs: Sequence[Run]) -> list[SeedRow]:
    """A row per run and protocol: by data set and split, then in the order of the runs."""
    galleries: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        for asked, answers in run.answers.items():
            found = galleries.setdefault((run.spec.dataset, asked.split), set())
            found.add(answers.entry.protocol.gallery_fingerprint)
    rows = []
    for (dataset, split), found in sorted(galleries.items(), key=lambda item: item[0][0]):
        for run in runs:
            for asked, answers in run.answers.items():
                if (run.spec.dataset, asked.split) == (dataset, split):
                    gallery = answers.entry.protocol.gallery_fingerprint
                    mark = f" #{gallery[:4]}" if len(found) > 1 else ""
                    part = f" ({answers.part})" if answers.part else ""
                    rows.append(SeedRow(run, answers, f"{dataset}/{split}{mark}{part}"))
    return rows


def seeds_of(spec: RunSpec) -> tuple[int, ...]:
    """The seeds of a run, for its place among those that differ in nothing else."""
    return spec.seeds.initialisation, spec.seeds.data, spec.seeds.noise


def natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts numbers in a text by their size and letters without regard to case."""
    parts = re.split(r"(\d+)", text.casefold())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
