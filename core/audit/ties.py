"""Ties: a gallery of one clip, copied V times, leaves nothing to choose by."""

from core.audit.chance import Recalls
from core.audit.change import Change
from core.audit.keys import KeyBlindNoise
from core.audit.noise_features import NoiseFeatures
from core.audit.subject import Subject
from core.audit.verdict import Verdict, judged


def ties(subject: Subject) -> Verdict:
    """R@K among copies of one clip under the `expected` policy: chance, whatever the method.

    Under noise that is the same for all pairs, copies have one score but for rounding: a difference that no
    other check would notice, such as 1e-7 times the position, would decide all ties.
    """
    worlds = [
        (seed, NoiseFeatures.draw(subject.size, subject.size, seed, subject.shape).copies())
        for seed in range(subject.seeds)
    ]
    blind = KeyBlindNoise()
    scores = subject.scores(subject.untrained(), worlds[0][1].texts, worlds[0][1].videos, noise=blind)
    # what draws no noise scores the same under any
    known = {} if blind.drawn else {0: scores}
    found = Recalls.count(
        known[seed] if seed in known else subject.scores(subject.untrained(seed), world.texts, world.videos)
        for seed, world in worlds
    )
    change = Change.between(scores, scores[:, :1].expand_as(scores))
    good = found.at_chance and (change.none or subject.condition == "released")
    meaning = "Clips that are alike score alike, and ties count as chance."
    if not found.at_chance:
        meaning = "Copies of one clip are told apart by something that is not in them."
    elif not good:
        text, video = change.pair
        meaning = (
            f"Of copies of one clip, the one at {video} differs from the first by {change.largest:.2g} for "
            f"text {text}, tolerance {change.allowed:.1g}: look at `score` for what breaks ties."
        )
    return subject.verdict("ties", judged(good), f"copies of one clip: {found}", meaning)
