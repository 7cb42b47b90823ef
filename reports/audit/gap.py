"""The released gap of a run: what the authors' scoring condition adds to R@1 on the same checkpoint."""

from core.audit.verdict import Verdict, judged
from core.evaluation.measures import recall
from core.evaluation.statistics import bootstrap_difference
from reports.audit.protocols import RunSubject
from reports.queries import ResultKey
from reports.table import signed


def released_gap(subject: RunSubject) -> Verdict:
    """R@1 released minus leak-free, with its 95 % interval; fails where the interval lies above 0."""
    clean, released = (
        subject.run.answers.get(ResultKey(subject.split, condition))
        for condition in ("leak-free", "released")
    )
    if subject.condition == "leak-free" or clean is None or released is None:
        meaning = "Only figures of the released condition profit from it."
        return subject.verdict("released gap", "not applicable", "leak-free figures", meaning)
    ours, theirs = (recall(answers.ranks(), 1) for answers in (clean, released))
    counted = ours.isfinite() & theirs.isfinite()
    gap = bootstrap_difference(theirs[counted], ours[counted], clean.clusters[counted], seed=0)
    good = gap.low <= 0
    undefined = int((~counted).sum())
    figure = f"R@1 {signed(gap.estimate)} points (95 % {signed(gap.low)} to {signed(gap.high)})" + (
        f", {undefined} queries undefined" if undefined else ""
    )
    meaning = (
        "The released condition gains nothing on this checkpoint."
        if good
        else "On this checkpoint the released condition finds more than a search could: it knows the pairing."
    )
    return subject.verdict("released gap", judged(good), figure, meaning)
