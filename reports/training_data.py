"""The mark of figures that were measured on videos which their model may have been trained on."""

from collections.abc import Mapping, Sequence

from core.running.seen import SEEN
from reports.collect import Run

SEEN_MARK = " (!)"
"""Behind the label of such a row."""


def seen_in(run: Run) -> str:
    """Which training data declares that it holds a split that the run has scored; empty where none does."""
    for answers in run.answers.values():
        data = (answers.entry.protocol.model_extra or {}).get("data")
        return str(data.get(SEEN, "")) if isinstance(data, Mapping) else ""
    return ""


def seen_mark(run: Run) -> str:
    """The mark, where there is such training data."""
    return SEEN_MARK if seen_in(run) else ""


def seen_notes(runs: Sequence[Run]) -> list[str]:
    """What the mark means, for each training data once."""
    found = dict.fromkeys(f"{run.spec.dataset}: {seen_in(run)}" for run in runs if seen_in(run))
    return [f"{SEEN_MARK.strip()}: the test set is in the training data. {line}." for line in found]
