"""Audio gates of a run: whether they move at all, and whether they open when the sound matters."""

from core.audit.verdict import Verdict, judged
from reports.audit.protocols import RunSubject

SHUT = 1e-3
"""Standard deviation of a gate, in [0, 1], below which it is a constant."""


def gates(subject: RunSubject) -> Verdict:
    """Mean and spread of the gates of audible clips, with their AUROC where the truth is known."""
    found = subject.run.gates.get(subject.split)
    if found is None:
        return subject.verdict("gates", "not applicable", "no gates", "The method has no gate for sound.")
    values = found.values[found.audible].double()
    spread = float(values.std())
    auroc = {gate: strata.get("audible") for gate, strata in found.scores.auroc.items()}
    truth = ", ".join(f"{gate} {value:.3f}" for gate, value in auroc.items() if value is not None)
    moves = spread >= SHUT
    figure = f"mean {float(values.mean()):.3f}, standard deviation {spread:.3f}" + (
        f"; AUROC {truth}" if truth else ""
    )
    meaning = (
        "The weight of the sound differs between clips or moments."
        if moves
        else "The gate is a constant: the sound is weighed alike, or not at all, in every clip."
    )
    return subject.verdict("gates", judged(moves), figure, meaning)
