"""The checks that compare scores with scores, on few pairs: for every configuration of a method."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from core.audit.change import Change, tolerances
from core.audit.contract import contract
from core.audit.honesty import index_honesty
from core.audit.keys import KeyBlindNoise
from core.audit.sound import as_loud, muted
from core.audit.subject import Subject
from core.audit.verdict import Verdict, judged
from core.batch import Texts, Videos, stable_keys

PAIRS = 13
"""Texts and videos that are compared."""
SOME = slice(2, 7)
"""Texts that are scored by themselves."""
ALONE = 3, 4
"""A pair that is scored by itself."""


def quick(subject: Subject) -> Iterator[Verdict]:
    """Verdicts until the first failure; nothing else is asked where the contract is broken."""
    first = contract(subject)
    yield first
    if first.verdict != "fail":
        yield from (pairing(subject), identity(subject), index_honesty(subject), audio(subject))


def pairs_of(subject: Subject) -> tuple[Texts, Videos]:
    """Texts and videos with which the method has trained, and which it has not."""
    return subject.world.texts[:PAIRS], subject.world.videos[:PAIRS]


def pairing(subject: Subject) -> Verdict:
    """Other order, fewer texts, a pair alone, and smaller chunks and tiles."""
    method, (texts, videos) = subject.practice.method, pairs_of(subject)
    every = torch.arange(PAIRS)
    expected = subject.scores(method, texts, videos)
    order = every.roll(3)
    moved = subject.scores(method, texts, videos[order])[:, order.argsort()]
    some = subject.scores(method, texts[SOME], subject.index(method, videos, chunk=4), every[SOME])
    text, video = ALONE
    alone = subject.scores(
        method, texts[text : text + 1], videos[video : video + 1], torch.tensor([text - video])
    )
    change = Change.worst(
        Change.between(moved, expected),
        Change.between(some, expected[SOME]),
        Change.between(alone[0], expected[text, video : video + 1], tolerances(expected)[text : text + 1]),
    )
    meaning = "The score of a text with a video depends on these two alone."
    if not change.none:
        meaning = f"A score depends on what else is scored: {change.where}. Look at `score`."
    return subject.verdict("pairing", judged(change.none), f"score change: {change}", meaning)


def identity(subject: Subject) -> Verdict:
    """Own pairs that share a key beside keys of other names, under noise that is the same for all."""
    method, (texts, videos) = subject.practice.method, pairs_of(subject)
    own = stable_keys([f"pair {v}" for v in range(PAIRS)])
    named, shared = (
        subject.scores(method, replace(texts, keys=a), replace(videos, keys=b), noise=KeyBlindNoise())
        for a, b in ((texts.keys, videos.keys), (own, own))
    )
    change = Change.between(shared, named)
    meaning = "A text and a video are judged by what is in them, whatever they are called."
    if not change.none:
        meaning = f"Where own pairs share a key, {change.where}: `score` or `index` looks names up."
    return subject.verdict("identity", judged(change.none), f"score change: {change}", meaning)


def audio(subject: Subject) -> Verdict:
    """Muted, and noise that is as loud: a method that claims sound notices, another does not."""
    method, (texts, videos) = subject.practice.method, pairs_of(subject)
    heard = subject.scores(method, texts, videos)
    silent, noisy = (
        Change.between(subject.scores(method, texts, change(videos)), heard) for change in (muted, as_loud)
    )
    hears = not silent.none or not noisy.none
    figure = f"score change: muted {silent}, noise as loud {noisy}"
    if not method.needs.sound:
        meaning = "It claims no sound and reacts to it." if hears else "It claims no sound, and hears none."
        return subject.verdict("audio", "fail" if hears else "not applicable", figure, meaning)
    meaning = "It hears what sounds."
    if noisy.none:
        meaning = "It hears whether there is sound, and not what sounds: look at `index`."
        if not hears:
            meaning = "It claims sound and does not react to it: look at `index`."
    return subject.verdict("audio", judged(not noisy.none), figure, meaning)
