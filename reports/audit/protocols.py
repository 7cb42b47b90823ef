"""A finished run under one condition, as its checks see it."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.audit.verdict import Judgement, Verdict
from core.errors import BenchError
from core.scoring.scoring import Condition
from reports.collect import Run
from reports.queries import Answers, ResultKey


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

    def answers(self) -> Mapping[ResultKey, Answers]:
        """What its queries came to under this split and condition, by protocol."""
        asked = (self.split, self.condition)
        return {key: found for key, found in self.run.answers.items() if key[:2] == asked}

    def text_to_video(self) -> Answers:
        """The captions as queries, without rescoring.

        Raises `BenchError` where the run holds rescored results only.
        """
        asked = ResultKey(self.split, self.condition)
        if asked not in self.run.answers:
            raise BenchError(
                f"{self.run.directory.path} holds no results without rescoring; run the cell again with "
                "--set 'evaluation.rescoring=[\"none\"]'"
            )
        return self.run.answers[asked]

    def verdict(self, check: str, outcome: Judgement, figure: str, meaning: str) -> Verdict:
        """A record of this run and condition."""
        return Verdict(self.run.name, self.condition, check, outcome, figure, meaning)
