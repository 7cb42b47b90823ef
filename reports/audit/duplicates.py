"""Ties and duplicates of a run: captions that belong to several videos, clips that share their pixels."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch

from core.audit.verdict import Verdict
from core.evaluation.measures import recall
from reports.audit.protocols import RunSubject
from reports.queries import Answers
from reports.table import number


@dataclass(frozen=True)
class Duplicates:
    """What cannot be told apart among queries, and what it can cost."""

    captions: int
    """Captions that stand with more than one video."""
    clips: int
    """Videos that share their pixels with another."""
    effect: float
    """Points of R@1 lost, at most, to a video of the same caption or the same pixels."""
    spread: float
    """Points of R@1 between ties behind and ties before the query's own video."""


def duplicates_of(answers: Answers) -> Duplicates:
    """Of text-to-video queries.

    Whenever the best wrong video has the caption or the pixels of the right one, the query is counted as a
    hit; what that adds to R@1 bounds the effect.
    """
    texts, videos = answers.text.tolist(), answers.video.tolist()
    videos_of: dict[str, set[str]] = {}
    texts_of: dict[str, set[str]] = {}
    for text, video in zip(texts, videos, strict=True):
        videos_of.setdefault(text, set()).add(video)
        texts_of.setdefault(video, set()).add(text)
    group_of = dict(zip(videos, answers.group.tolist(), strict=True))
    sizes = Counter(group_of.values())
    alike = [
        rival != own and (group_of.get(rival) == group_of[own] or text in texts_of.get(rival, ()))
        for rival, own, text in zip(answers.rival.tolist(), videos, texts, strict=True)
    ]
    own = recall(answers.ranks(), 1)
    defined = own.isfinite()
    forgiven = torch.where(torch.from_numpy(np.array(alike)), 100.0, own)
    behind, before = (recall(answers.ranks(policy), 1) for policy in ("optimistic", "pessimistic"))
    return Duplicates(
        captions=sum(len(found) > 1 for found in videos_of.values()),
        clips=sum(size for size in sizes.values() if size > 1),
        effect=float((forgiven - own)[defined].mean()),
        spread=float((behind - before)[defined].mean()),
    )


def tied_duplicates(subject: RunSubject) -> Verdict:
    """Counts duplicates and ties; figures take ties in random order, so nothing here can fail."""
    found = duplicates_of(subject.text_to_video())
    figure = (
        f"{found.captions} captions of several videos, {found.clips} clips that share pixels: at most "
        f"{number(found.effect)} points of R@1; the order of ties moves {number(found.spread)}"
    )
    meaning = "Ties count in random order; a search that took any duplicate as right gains no more than this."
    return subject.verdict("ties", "pass", figure, meaning)
