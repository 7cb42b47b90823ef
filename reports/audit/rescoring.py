"""Rescored results of a run: that they say what they use, and what they gain by it."""

from core.audit.verdict import Outcome, Verdict
from reports.audit.protocols import RunSubject

USES = {"dsl": "transductive", "qb-norm": "bank-based"}
"""The word that the label of each rescoring must hold."""


def test_set_statistics(subject: RunSubject) -> Verdict:
    """The gain in R@1 of each rescoring over the plain scores; fails where one is not labelled."""
    recall = {
        entry["protocol"]["rescoring"]: entry["metrics"]["expected"]["R@1"]
        for entry in subject.entries()
        if entry["direction"] == "t2v"
    }
    labels = {
        entry["protocol"]["rescoring"]: entry["protocol"]["rescoring_uses"] for entry in subject.entries()
    }
    rescored = [name for name in labels if name != "none"]
    gains = [
        f"{labels[name]}: R@1 {recall[name] - recall['none']:+.1f}" if "none" in recall else labels[name]
        for name in rescored
    ]
    verdict: Outcome = "pass"
    meaning = "What was rescored says which other queries or captions it uses."
    if not rescored:
        verdict, meaning = "not applicable", "Nothing was rescored: every query was scored by itself."
    elif any(USES[name] not in labels[name] for name in rescored):
        verdict, meaning = "fail", "Rescored figures do not say which other queries or captions they use."
    return subject.verdict("test-set statistics", verdict, "; ".join(gains) or "no rescoring", meaning)
