"""A finished run under one condition, as its checks see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.audit.verdict import Outcome, Verdict
from core.errors import BenchError
from core.scoring.scoring import Condition
from reports.collect import Run
from reports.queries import Outcomes, Protocol, read_outcomes


@dataclass(frozen=True)
class RunSubject:
    """The first split that a run has scored, under one condition."""

    run: Run
    condition: Condition
    split: str

    @classmethod
    def of(cls, run: Run, condition: Condition) -> "RunSubject":
        """Raises `BenchError` where the run was not scored under the condition."""
        scored = run.spec.evaluation.conditions
        if condition not in scored:
            raise BenchError(
                f"{run.directory.path.name} was scored under {', '.join(scored)} only; "
                f"pass --condition {scored[0]}"
            )
        return cls(run, condition, run.spec.evaluation.splits[0])

    def entries(self) -> Sequence[Mapping[str, Any]]:
        """The entries of metrics.json under this split and condition."""
        asked = (self.split, self.condition)
        return [
            entry
            for entry in self.run.metrics["results"]
            if (entry["protocol"]["split"], entry["protocol"]["condition"]) == asked
        ]

    def outcomes(self) -> Mapping[Protocol, Outcomes]:
        """The ranks of all queries under this split and condition."""
        return read_outcomes(self.run.directory, split=self.split, condition=self.condition)

    def text_to_video(self) -> Outcomes:
        """The ranks of the captions as queries, without rescoring.

        Raises `BenchError` where the run holds rescored results only.
        """
        asked, found = Protocol(self.split, self.condition), self.outcomes()
        if asked not in found:
            raise BenchError(
                f"{self.run.directory.path} holds no results without rescoring; run the cell again with "
                "--set 'evaluation.rescoring=[\"none\"]'"
            )
        return found[asked]

    def verdict(self, check: str, outcome: Outcome, figure: str, meaning: str) -> Verdict:
        """A record of this run and condition."""
        return Verdict(self.run.directory.path.name, self.condition, check, outcome, figure, meaning)
