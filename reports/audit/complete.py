"""Whether a run says under which protocol its figures were measured, and whether its ranks bear them out."""

from collections.abc import Iterator

from core.audit.verdict import Verdict, judged
from reports.audit.protocols import RunSubject
from reports.queries import Protocol

PROTOCOL = {
    "split",
    "condition",
    "rescoring",
    "rescoring_uses",
    "selection",
    "training_pairs",
    "audio_alignment",
    "queries",
    "gallery",
    "gallery_fingerprint",
    "tie_tolerance",
    "noise_seed",
    "text_tokens",
    "data",
}
"""What a figure must never travel without."""
PROVENANCE = {"commit", "packages", "hardware", "fingerprints", "selected_epoch", "selection_looks"}
"""What the manifest must hold beside it."""
ROUNDING = 1e-6
"""Points by which a recomputed R@1 may be off."""


def deviations(subject: RunSubject) -> Iterator[float]:
    """How far each R@1 of metrics.json is from the one that the stored ranks give, in points."""
    outcomes = subject.outcomes()
    for entry in subject.entries():
        asked = Protocol(subject.split, subject.condition, entry["protocol"]["rescoring"], entry["direction"])
        found = 100 * float(outcomes[asked].credit().nanmean()) if asked in outcomes else float("inf")
        yield abs(found - entry["metrics"]["expected"]["R@1"])


def protocol(subject: RunSubject) -> Verdict:
    """Missing fields, deviations of the figures from the ranks, and undefined queries."""
    entries = subject.entries()
    lacking = sorted(
        {name for entry in entries for name in PROTOCOL - set(entry["protocol"])}
        | (PROVENANCE - set(subject.run.manifest))
    )
    worst = max(deviations(subject), default=float("inf"))
    undefined = sum(entry["metrics"]["expected"]["undefined"] for entry in entries)
    good = not lacking and worst <= ROUNDING
    figure = (
        f"{len(PROTOCOL) + len(PROVENANCE) - len(lacking)} of {len(PROTOCOL) + len(PROVENANCE)} fields"
        + (f" (no {', '.join(lacking)})" if lacking else "")
        + f"; {len(entries)} figures, R@1 off by {worst:.1g} points; {undefined} undefined queries"
    )
    meaning = (
        "The figures say how they were measured, and the stored ranks give them."
        if good
        else "Part of the protocol is not recorded."
        if lacking
        else "The figures are not those of the stored ranks."
    )
    return subject.verdict("protocol", judged(good), figure, meaning)
