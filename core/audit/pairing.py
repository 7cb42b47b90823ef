"""Pairing: a score belongs to a text and a video, whatever else lies beside them.

Three things must leave it unchanged: which caption a video is stored with, how many texts and videos there
are, and what is scored at the same time (batch, tile, order).
"""

from functools import partial

import torch

from core.audit.change import Change
from core.audit.rounding import rounding
from core.audit.subject import VIDEOS, Subject
from core.audit.verdict import Verdict, judged

SMALL_TILE = 4096
"""Bytes of a tile which holds only a few pairs."""
ALONE = 6
"""Pairs that are scored by themselves."""


def repaired(subject: Subject) -> Change:
    """What changes when every caption is stored with another video."""
    method, world = subject.compared()
    texts, order = world.texts[:VIDEOS], torch.arange(VIDEOS).roll(3)
    stored = subject.scores(method, texts, world.videos)
    moved = subject.scores(method, texts, world.videos[order])  # text i now stands beside video order[i]
    return Change.between(moved[:, order.argsort()], stored)


def unequal(subject: Subject) -> Change:
    """What changes when some videos have no caption, and when some have two and the others one."""
    method, world = subject.compared()
    stored = subject.scores(method, world.texts[:VIDEOS], world.videos)
    few = subject.scores(method, world.texts[: VIDEOS // 2], world.videos)
    many = subject.scores(method, world.texts, world.videos, torch.arange(len(world.texts)) % VIDEOS)
    return Change.worst(Change.between(few, stored[: VIDEOS // 2]), Change.between(many[:VIDEOS], stored))


def alone(subject: Subject) -> Change:
    """What changes when a pair is scored by itself, in small tiles, and in another order of the texts."""
    method, world = subject.compared()
    texts, pairing = world.texts[:VIDEOS], torch.arange(VIDEOS)
    stored = subject.scores(method, texts, world.videos)
    asked, found = torch.arange(ALONE), torch.arange(ALONE, 0, -1)
    single, allowed = [], rounding(partial(subject.scores, method), texts, world.videos, stored)
    for t, v in zip(asked.tolist(), found.tolist(), strict=True):
        # The pairing is 0 where the text belongs to the one video that is here.
        here = slice(None) if method.needs.gallery else slice(v, v + 1)
        own = torch.tensor([t - (here.start or 0)])
        scores = subject.scores(method, texts[t : t + 1], world.videos[here], own)
        single.append(scores[:, v - (here.start or 0)])
    tiled = subject.scores(method, texts, world.videos, tile_bytes=SMALL_TILE)
    back = pairing.flip(0)
    reversed_ = subject.scores(method, texts[back], world.videos, back)[back]
    return Change.worst(
        Change.between(torch.cat(single), stored[asked, found], allowed[asked]),
        Change.between(tiled, stored, allowed),
        Change.between(reversed_, stored, allowed),
    )


def pairing(subject: Subject) -> Verdict:
    """The three together; the figure is the largest change of a score by each."""
    stored, counts, company = repaired(subject), unequal(subject), alone(subject)
    good = stored.none and counts.none and company.none
    figure = f"score change: re-paired {stored}, unequal counts {counts}, alone {company}"
    meaning = "The score of a text with a video depends on these two alone."
    if subject.practice.method.needs.gallery:
        meaning = "The score of a text with a video depends on these two and, as declared, on the gallery."
    if not stored.none:
        meaning = (
            "A score depends on which caption the video is stored with, which a search cannot know: when "
            f"captions change places, {stored.where}. Look at `score`."
        )
    elif not good:
        worst = Change.worst(counts, company)
        meaning = f"A score depends on what else is scored: {worst.where}. Look at `score`."
    return subject.verdict("pairing", judged(good), figure, meaning)
