"""Which split chose the checkpoint of a run, and what so many looks at the test split would have gained."""

from core.audit.selection import RULES, optimism
from core.audit.verdict import Judgement, Verdict
from core.evaluation.measures import recall
from reports.audit.protocols import RunSubject
from reports.table import signed

CHOOSES = {"val": "val", "test-best": "test"}
"""The split that a rule looks at."""


def chosen_checkpoint(subject: RunSubject) -> Verdict:
    """Fails where the scored split chose its own checkpoint."""
    spec, manifest = subject.run.spec, subject.run.manifest
    rule, looks = spec.training.selection, manifest.selection_looks or 0
    answers = subject.text_to_video()
    hits = recall(answers.ranks(), 1) / 100
    counted = hits.isfinite()
    gain = optimism(hits[counted], answers.clusters[counted], looks)
    figure = f"{RULES[rule]}; looks: {looks}, on the scored split worth up to {signed(gain)} points of R@1"
    verdict: Judgement
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
