"""Rescored results of a run: that they say what they use, and what they gain by it."""

from core.audit.verdict import Judgement, Verdict
from core.evaluation.measures import PRIMARY
from reports.audit.protocols import RunSubject
from reports.table import signed

USES = {"dsl": "transductive", "qb-norm": "bank-based"}
"""The word that the label of each rescoring must hold."""


def rescored_figures(subject: RunSubject) -> Verdict:
    """The gain in R@1 of each rescoring over the plain scores; fails where one is not labelled."""
    answers = subject.answers()
    recall = {asked.rescoring: a.figure(PRIMARY) for asked, a in answers.items() if asked.direction == "t2v"}
    labels = {asked.rescoring: a.entry.protocol.rescoring_uses for asked, a in answers.items()}
    rescored = [name for name in labels if name != "none"]
    gains = [
        f"{labels[name]}: R@1 {signed(recall[name] - recall['none'])}"
        if {"none", name} <= set(recall)
        else labels[name]
        for name in rescored
    ]
    verdict: Judgement = "pass"
    meaning = "What was rescored says which other queries or captions it uses."
    if not rescored:
        verdict, meaning = "not applicable", "Nothing was rescored: every query was scored by itself."
    elif any(USES.get(name, "unknown") not in labels[name] for name in rescored):
        verdict, meaning = "fail", "Rescored figures do not say which other queries or captions they use."
    return subject.verdict("test-set statistics", verdict, "; ".join(gains) or "no rescoring", meaning)
