"""Registered truth: what a method says of itself is what it does, fresh and trained, by either engine."""

import torch

from core.audit.change import Change, tolerances
from core.audit.subject import VIDEOS, Subject
from core.audit.verdict import Verdict, judged
from core.method import Method
from core.scoring.noise import scoring_noise
from core.scoring.scoring import How, build_index, score_matrix

SAID = ("needs", "released", "exact", "gate", "candidates")
"""What a method says of itself."""
ROUNDED = 0.005
"""Share of the pairs in which they may part: at the edge of a choice, or of what float32 holds."""


def registered_truth(subject: Subject) -> Verdict:
    """Both engines score alike, a clean release scores as leak-free does, and training changes neither."""
    fresh, (method, world) = subject.untrained(), subject.compared()
    texts, videos = world.texts[:VIDEOS], world.videos
    noise, pairing = scoring_noise(method.config, 0, released=False), torch.arange(VIDEOS)
    with subject.blamed("score"):
        modules = build_index(method, videos, engine="modules")
        plain = score_matrix(method, texts, modules, noise=noise)
        others = {"the algebra": score_matrix(method, texts, subject.index(method, videos), noise=noise)}
        if method.released is None:
            asked: How = {"condition": "released", "pairing": pairing}
            others["the release"] = score_matrix(method, texts, modules, noise=noise, **asked)
    changes = {name: Change.between(scores, plain) for name, scores in others.items()}
    allowed = tolerances(plain)[:, None]
    shares = {
        name: float(((scores - plain).abs() > allowed).float().mean()) for name, scores in others.items()
    }
    name = max(shares, key=lambda name: shares[name])
    differs = next((what for what in SAID if said(fresh, what) != said(method, what)), "")
    figure = "beside the modules: " + ", ".join(
        f"{name} {changes[name]} in {100 * share:.1f} % of the pairs" for name, share in shares.items()
    )
    good = shares[name] <= ROUNDED and not differs
    meaning = "What it says of itself is what it does."
    if differs:
        meaning = f"`{differs}` is another after training: say it once, in `__init__` or in the class."
    elif not good:
        meaning = f"Scored by {name}, {changes[name].where}: look at `score` and at what stands in for it."
    return subject.verdict("registered truth", judged(good), figure, meaning)


def said(method: Method, what: str) -> object:
    """What a method says under a name: its needs, or whether it has a capability."""
    value = getattr(method, what)
    return value if what == "needs" else value is not None
