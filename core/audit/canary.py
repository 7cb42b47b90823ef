"""The noise canary: what cannot be retrieved must not be retrieved.

Texts, frames, patches, sound and captions are independent noise, and so is what has trained the weights, if
anything has. So a method finds a text's video with the probability of chance, unless it is told which it is.
"""

from core.audit.chance import Recalls
from core.audit.noise_features import NoiseFeatures
from core.audit.size import HUGE, at_once
from core.audit.subject import Subject
from core.audit.verdict import Verdict, judged


def noise_canary(subject: Subject) -> Verdict:
    """R@1, R@5 and R@10 in both directions against the band of chance.

    Hits of all seeds of fresh weights are pooled; those of a method that has trained on other noise are
    counted by themselves.
    """
    size, shape = subject.size, subject.shape
    worlds = ((seed, NoiseFeatures.draw(size, size, seed, shape)) for seed in range(subject.seeds))
    fresh = Recalls.count(
        subject.scores(subject.untrained(seed), world.texts, world.videos) for seed, world in worlds
    )
    world = NoiseFeatures.draw(size, size, subject.seeds, shape)
    method = subject.practice.method
    # as one square tile where there is room: the engine's own may all be wide, or deep
    tile_bytes = HUGE if at_once(method, size, size) else None
    trained = Recalls.count([subject.scores(method, world.texts, world.videos, tile_bytes=tile_bytes)])
    found = {"fresh": fresh, "trained": trained}
    meaning = "On pure noise it finds what chance finds."
    for state, recalls in found.items():
        if not recalls.at_chance:
            low, high = recalls.band(1)
            meaning = (
                f"On pure noise chance finds {low:.1f} to {high:.1f} % at rank 1; the scores of {state} "
                "weights know the pairing. Look at `score` for what depends on positions, keys or sizes."
            )
            break
    at_chance = all(recalls.at_chance for recalls in found.values())
    figure = "; ".join(f"{state} {recalls}" for state, recalls in found.items())
    return subject.verdict("noise canary", judged(at_chance), figure, meaning)
