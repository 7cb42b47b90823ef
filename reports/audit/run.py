"""What can be told of a finished run: from its folder, and by scoring its checkpoint again."""

from collections.abc import Callable, Sequence

from core.audit.verdict import Verdict
from core.scoring.scoring import Condition
from reports.audit.again import scored_again
from reports.audit.chosen import selection
from reports.audit.complete import protocol
from reports.audit.duplicates import ties
from reports.audit.gap import released_gap
from reports.audit.gates import gates
from reports.audit.protocols import RunSubject
from reports.audit.rescoring import test_set_statistics
from reports.collect import Run

CHECKS: Sequence[Callable[[RunSubject], Verdict]] = (
    protocol,
    selection,
    ties,
    test_set_statistics,
    gates,
    released_gap,
)


def audit_run(run: Run, condition: Condition) -> list[Verdict]:
    """What each check says about the first split that a run has scored under a condition.

    Raises `BenchError` where the run was not scored under it, and for a damaged file.
    """
    subject = RunSubject.of(run, condition)
    return [*(check(subject) for check in CHECKS), *scored_again(subject)]
