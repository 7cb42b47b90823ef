"""Whether a run says under which protocol its figures were measured, and whether its ranks bear them out."""

import math
from collections.abc import Iterator

from core.audit.verdict import Verdict, judged
from core.evaluation.measures import PRIMARY
from reports.audit.protocols import RunSubject

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
SAME_RECALL = 1e-6
"""Points by which a recomputed R@1 may be off."""


def deviations(subject: RunSubject) -> Iterator[float]:
    """How far each R@1 in the summary of metrics.json is from the one that the ranks give, in points."""
    for answers in subject.answers().values():
        stated = answers.entry.metrics.get("expected", {}).get(PRIMARY.name, math.inf)
        found = answers.figure(PRIMARY)
        yield 0.0 if math.isnan(found) and math.isnan(stated) else abs(found - stated)


def protocol(subject: RunSubject) -> Verdict:
    """Missing fields, deviations of the figures from the ranks, and undefined queries."""
    answers = list(subject.answers().values())
    stated = subject.run.manifest.model_dump(exclude_none=True)
    lacking = sorted(
        {name for a in answers for name in PROTOCOL - set(a.entry.protocol.model_dump())}
        | (PROVENANCE - set(stated))
    )
    worst = max(deviations(subject), default=math.inf)
    undefined = sum(a.undefined() for a in answers)
    good = not lacking and worst <= SAME_RECALL
    figure = (
        f"{len(PROTOCOL) + len(PROVENANCE) - len(lacking)} of {len(PROTOCOL) + len(PROVENANCE)} fields"
        + (f" (no {', '.join(lacking)})" if lacking else "")
        + f"; {len(answers)} figures, R@1 off by {worst:.1g} points; {undefined} undefined queries"
    )
    meaning = (
        "The figures say how they were measured, and the stored ranks give them."
        if good
        else "Part of the protocol is not recorded."
        if lacking
        else "The figures are not those of the stored ranks."
    )
    return subject.verdict("protocol", judged(good), figure, meaning)
