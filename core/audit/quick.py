"""The checks that compare scores with scores, on few pairs: for every configuration of a method.

All that must change no score is changed at once; what it was is found out only where a score has changed.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from core.audit.change import Change, tolerances
from core.audit.contract import contract
from core.audit.honesty import Rebuilt, armed, honesty, rebuilt
from core.audit.sound import as_loud, half_changed
from core.audit.subject import Subject
from core.audit.verdict import Verdict, judged
from core.batch import stable_keys
from core.method import NoiseSource
from core.scoring.noise import RenamedNoise, scoring_noise
from core.scoring.scoring import ScoringIndex

QUICK_PAIRS = 13
"""Texts and videos that are compared."""
EVERY_VIDEO = tuple(range(QUICK_PAIRS))
SOME = (6, 4, 2, 9, 11)
"""Texts that are scored without the others, in this order."""
REORDERED = (*EVERY_VIDEO[-3:], *EVERY_VIDEO[:-3])
"""Videos in another order."""
CHUNK = QUICK_PAIRS - 1
"""Of them that are indexed together; the last one is indexed alone."""
BY_ITSELF = 3
"""A text that is scored alone, with the last video of `REORDERED`, which is not its own."""


def quick(subject: Subject) -> Verdict | None:
    """The first failure; nothing else is asked where the contract is broken."""
    found = contract(subject, fresh=False)
    if found.verdict == "fail":
        return found
    compared = Compared(subject)
    checks = (compared.honesty, compared.pairs, compared.audio)
    return next((verdict for check in checks if (verdict := check()).verdict == "fail"), None)


class Compared:
    """A trained method's scores of some pairs, with which it has trained."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.method = subject, subject.practice.method
        self.texts, self.videos = subject.world.texts[:QUICK_PAIRS], subject.world.videos[:QUICK_PAIRS]

    @cached_property
    def index(self) -> ScoringIndex:
        """Of the videos as a run builds it."""
        return self.subject.index(self.method, self.videos)

    @cached_property
    def expected(self) -> Tensor:
        """Scores `(PAIRS, PAIRS)` as a run computes them, of texts that tell who touches them."""
        return self.subject.scores(self.method, armed(self.texts), self.index)

    @cached_property
    def with_other_sound(self) -> Rebuilt:
        """The index of the same pictures with other sound, built when texts have been scored.

        Noise that is as loud where the method claims sound, any change where it claims none.
        """
        self.expected  # noqa: B018  they are scored
        other = as_loud(self.videos) if self.method.needs.sound else half_changed(self.videos)
        return rebuilt(self.subject, self.method, other)

    def honesty(self) -> Verdict:
        """What an index makes of the texts that were scored last."""
        return honesty(self.subject, self.with_other_sound)

    def changed(
        self,
        columns: Sequence[int] = EVERY_VIDEO,
        chunk: int = QUICK_PAIRS,
        *,
        blocks: Sequence[tuple[Sequence[int], slice]] = ((EVERY_VIDEO, slice(None)),),
        rename: bool = False,
    ) -> Change:
        """How scores change where videos are indexed in another order or in chunks, or under other keys.

        Of each block of texts with a part of the videos. With `rename`, own pairs share a key, and noise is
        drawn under the old ones.
        """
        texts, videos = self.texts, self.videos
        noise: NoiseSource = scoring_noise(self.method.config, 0, released=False)
        if rename:
            own = stable_keys([f"pair {number}" for number in EVERY_VIDEO])
            noise = RenamedNoise(noise, (own, texts.keys), (own, videos.keys))
            texts, videos = replace(texts, keys=own), replace(videos, keys=own)
        index = self.subject.index(self.method, videos[torch.tensor(columns)], chunk)
        changes = []
        for rows, part in blocks:
            found = self.subject.scores(self.method, texts[torch.tensor(rows)], index[part], noise=noise)
            expected, here = self.expected[torch.tensor(rows)], columns[part]
            change = Change.between(found, expected[:, torch.tensor(here)], tolerances(expected))
            changes.append(change.renumbered(rows, here))
        return Change.worst(*changes)

    def pairs(self) -> Verdict:
        """Everything at once, and a pair by itself; if a score changes, what has changed it."""
        alone = slice(None) if self.method.needs.gallery else slice(CHUNK, None)
        blocks = (SOME, slice(None)), ((BY_ITSELF,), alone)
        change = self.changed(REORDERED, CHUNK, blocks=blocks, rename=True)
        check, meaning = "pairing", "The score of a text with a video depends on these two alone."
        if not change.none:
            renamed = self.changed(rename=True)
            if not renamed.none:
                check, change = "identity", renamed
                meaning = f"Where own pairs share a key, {change.where}: `score` or `index` looks names up."
            else:
                chunks = self.changed(chunk=1)
                where = "`score`" if chunks.none else "`index`"
                meaning = f"A score depends on what else is scored: {change.where}. Look at {where}."
        return self.subject.verdict(check, judged(change.none), f"score change: {change}", meaning)

    def audio(self) -> Verdict:
        """Noise that is as loud is noticed by a method that claims sound, and no change by another."""
        claims, rows = self.method.needs.sound, self.with_other_sound.rows
        released = None if self.index.released is None else rows[0]
        other = replace(self.index, videos=rows[-1], released=released)
        change = Change.between(self.subject.scores(self.method, self.texts, other), self.expected)
        meaning = "It hears what sounds." if claims else "It claims no sound, and hears none."
        if claims and change.none:
            meaning = "It claims sound and does not react to noise that is as loud: look at `index`."
        elif not claims and not change.none:
            meaning = f"It claims no sound and reacts to it: with other sound, {change.where}."
        good = claims != change.none
        return self.subject.verdict("audio", judged(good), f"score change by other sound: {change}", meaning)
