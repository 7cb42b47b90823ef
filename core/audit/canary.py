"""The noise canary: what cannot be retrieved must not be retrieved.

Texts, frames, patches, sound and captions are independent noise and the weights are fresh, so a method finds
a text's video with the probability of chance, unless it is told which one it is.
"""

from core.audit.chance import Recalls
from core.audit.noise_features import NoiseFeatures
from core.audit.subject import Subject
from core.audit.verdict import Verdict, judged


def noise_canary(subject: Subject) -> Verdict:
    """R@1, R@5 and R@10 in both directions against the band of chance, hits of all seeds pooled."""
    worlds = ((seed, NoiseFeatures.draw(subject.size, subject.size, seed)) for seed in range(subject.seeds))
    found = Recalls.count(
        subject.scores(subject.untrained(seed), world.texts, world.videos) for seed, world in worlds
    )
    low, high = found.band(1)
    meaning = (
        "On pure noise it finds what chance finds."
        if found.at_chance
        else f"On pure noise chance finds {low:.1f} to {high:.1f} % at rank 1; these scores know the pairing."
    )
    return subject.verdict("noise canary", judged(found.at_chance), str(found), meaning)
