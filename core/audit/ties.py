"""Ties: a gallery of one clip, copied V times, leaves nothing to choose by."""

from core.audit.chance import Recalls
from core.audit.noise_features import NoiseFeatures
from core.audit.subject import Subject
from core.audit.verdict import Verdict, judged


def ties(subject: Subject) -> Verdict:
    """R@K among copies of one clip under the `expected` policy: chance, whatever the method."""
    worlds = (
        (seed, NoiseFeatures.draw(subject.size, subject.size, seed, subject.shape).copies())
        for seed in range(subject.seeds)
    )
    found = Recalls.count(
        subject.scores(subject.untrained(seed), world.texts, world.videos) for seed, world in worlds
    )
    meaning = (
        "Clips that are alike score alike, and ties count as chance."
        if found.at_chance
        else "Copies of one clip are told apart by something that is not in them."
    )
    return subject.verdict("ties", judged(found.at_chance), f"copies of one clip: {found}", meaning)
