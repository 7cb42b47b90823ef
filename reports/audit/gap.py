"""The released gap of a run: what the authors' scoring condition adds to R@1 on the same checkpoint."""

from core.audit.verdict import Verdict, judged
from core.evaluation.statistics import bootstrap_difference
from reports.audit.protocols import RunSubject
from reports.queries import Protocol, read_outcomes


def released_gap(subject: RunSubject) -> Verdict:
    """R@1 released minus leak-free, with its 95 % interval; fails where the interval lies above 0."""
    found = read_outcomes(subject.run.directory, split=subject.split, rescoring="none", direction="t2v")
    clean, released = (found.get(Protocol(subject.split, condition)) for condition in ("leak-free", "released"))
    if subject.condition == "leak-free" or clean is None or released is None:
        meaning = "Only figures of the released condition profit from it."
        return subject.verdict("released gap", "not applicable", "leak-free figures", meaning)
    counted = clean.best.isfinite() & released.best.isfinite()
    gap = bootstrap_difference(
        100 * released.credit()[counted], 100 * clean.credit()[counted], clean.clusters[counted], seed=0
    )
    good = gap.low <= 0
    undefined = int((~counted).sum())
    figure = f"R@1 {gap.estimate:+.1f} points (95 % {gap.low:+.1f} to {gap.high:+.1f})" + (
        f", {undefined} queries undefined" if undefined else ""
    )
    meaning = (
        "The released condition gains nothing on this checkpoint."
        if good
        else "On this checkpoint the released condition finds more than a search could: it knows the pairing."
    )
    return subject.verdict("released gap", judged(good), figure, meaning)
