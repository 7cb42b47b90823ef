"""Which split chose the checkpoint of a run, and what so many looks at the test split would have gained."""

from core.audit.selection import RULES, optimism
from core.audit.verdict import Outcome, Verdict
from reports.audit.protocols import RunSubject

CHOOSES = {"val": "val", "test-best": "test"}
"""The split that a rule looks at."""


def selection(subject: RunSubject) -> Verdict:
    """Fails where the scored split chose its own checkpoint."""
    spec, manifest = subject.run.spec, subject.run.manifest
    rule, looks = spec.training.selection, int(manifest.get("selection_looks", 0))
    outcomes = subject.text_to_video()
    counted = outcomes.best.isfinite()
    gain = optimism(outcomes.credit()[counted], outcomes.clusters[counted], looks)
    figure = f"{RULES[rule]}; {looks} looks, on the scored split worth up to {gain:+.1f} points of R@1"
    verdict: Outcome
    if spec.checkpoint and not spec.training.epochs:
        verdict, meaning = "not applicable", "The weights were given; what chose them is not known here."
        figure = "weights from a checkpoint, not trained"
    elif CHOOSES.get(rule) == subject.split:
        verdict, meaning = (
            "fail",
            "The checkpoint was chosen on the queries that its figures are measured on.",
        )
    else:
        verdict, meaning = "pass", "The scored split had no say in the choice of the checkpoint."
    return subject.verdict("selection", verdict, figure, meaning)
