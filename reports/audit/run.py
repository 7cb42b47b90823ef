"""What can be told of a finished run: from its folder, and by scoring its checkpoint again."""

from collections.abc import Callable, Sequence

from core.audit.verdict import Verdict
from core.scoring.scoring import Condition
from reports.audit.again import scored_again
from reports.audit.chosen import chosen_checkpoint
from reports.audit.complete import protocol
from reports.audit.duplicates import tied_duplicates
from reports.audit.gap import released_gap
from reports.audit.gates import gates
from reports.audit.protocols import RunSubject
from reports.audit.rescoring import rescored_figures
from reports.collect import Run

RUN_CHECKS: Sequence[Callable[[RunSubject], Verdict]] = (
    protocol,
    chosen_checkpoint,
    tied_duplicates,
    rescored_figures,
    gates,
    released_gap,
)


def audit_run(run: Run, condition: Condition) -> list[Verdict]:
    """What each check says about the first split that a run has scored under a condition.

    Raises `BenchError` where the run was not scored under it, and for a damaged file.
    """
    subject = RunSubject.of(run, condition)
    return [*(check(subject) for check in RUN_CHECKS), *scored_again(subject)]
