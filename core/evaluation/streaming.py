"""Ranks and best lists straight from strips of scores, where the matrix `(N, V)` would not fit.

A strip is the score of all N texts with some videos. Video-to-text ranks come from one pass over the strips;
text-to-video needs each text's own score before it can count, hence a second pass. The same strips are scored
in both, so that equal scores are equal.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from functools import reduce
from typing import Literal

import torch
from torch import Tensor

from core.evaluation.ranking import (
    TIE_TOLERANCE,
    Counts,
    QueryRecords,
    best_captions,
    check_pairing,
    compare_groups,
    compare_scores,
    largest_magnitude,
    require_finite,
    some_has_several,
)
from core.evaluation.top import KEPT, TopLists, best_of

Strips = Callable[[], Iterable[tuple[slice, Tensor]]]
"""One pass: the videos of each strip, in order, and its scores `(N, v)` float32 on the CPU."""

STRIP = 2**20
"""Scores of a strip: ranking them takes a handful of temporaries of that size."""


def strip_width(texts: int) -> int:
    """Videos of a strip of N texts."""
    return max(1, STRIP // texts)


def streamed_records(
    strips: Strips,
    videos: int,
    video_of_text: Tensor,
    *,
    tolerance: float = TIE_TOLERANCE,
    undefined: Literal["refuse", "allow"] = "refuse",
) -> tuple[QueryRecords, QueryRecords]:
    """Records of both directions, text-to-video first, as `core.evaluation.ranking` has them from a matrix.

    `video_of_text` `(N,)` int64. Raises `BenchError` naming the pair where a score is not finite, unless
    `undefined` is "allow".
    """
    texts = len(video_of_text)
    check_pairing((texts, videos), video_of_text)
    queries, group_of_text = torch.unique(video_of_text, return_inverse=True)
    own_text, own_video, by_video = torch.empty(texts), torch.empty(len(queries)), list[Counts]()
    largest = torch.zeros(texts)
    for part, strip in strips():
        if undefined == "refuse":
            require_finite(strip, first_text=0, videos=torch.arange(part.start, part.stop))
        here = positions_inside(video_of_text, part)
        largest = torch.maximum(largest, largest_magnitude(strip))
        own_text[here] = strip[here, video_of_text[here] - part.start]
        asking = positions_inside(queries, part).nonzero()[:, 0]
        columns = strip[:, queries[asking] - part.start]
        own_video[asking], counts = compare_groups(columns, asking, group_of_text, len(queries), tolerance)
        by_video.append(replace(counts, best_wrong=queries[counts.best_wrong]))
    by_strip = (
        (part, compare_scores(strip, own_text, video_of_text - part.start, tolerance, largest))
        for part, strip in strips()
    )
    by_text = reduce(added, (replace(c, best_wrong=c.best_wrong + part.start) for part, c in by_strip))
    several = some_has_several(video_of_text)
    return (
        QueryRecords("t2v", torch.arange(texts), video_of_text, own_text, by_text, videos, several),
        QueryRecords("v2t", queries, queries, own_video, joined_counts(by_video), len(queries), several),
    )


def positions_inside(videos: Tensor, part: slice) -> Tensor:
    """Which of some videos `(Q,)` int64 a strip holds, `(Q,)` bool."""
    held: Tensor = (videos >= part.start) & (videos < part.stop)
    return held


def joined_counts(parts: Sequence[Counts]) -> Counts:
    """Counts of several lots of queries, one after the other."""
    return Counts(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Counts)))


def added(first: Counts, second: Counts) -> Counts:
    """Counts of the same queries among the candidates of both; of equal rivals the first stays the best."""
    total = {f.name: getattr(first, f.name) + getattr(second, f.name) for f in fields(Counts)}
    better = second.best_wrong_score > first.best_wrong_score
    return Counts(
        **total
        | {
            "best_wrong": torch.where(better, second.best_wrong, first.best_wrong),
            "best_wrong_score": torch.where(better, second.best_wrong_score, first.best_wrong_score),
        }
    )


def streamed_top_lists(strips: Strips, video_of_text: Tensor, kept: int = KEPT) -> tuple[TopLists, TopLists]:
    """Best lists of both directions in one pass, text-to-video first, as `core.evaluation.top` has them."""
    groups, group_of_text = torch.unique(video_of_text, return_inverse=True)
    by_text, by_video = (
        TopLists(torch.empty(len(video_of_text), 0).long(), torch.empty(len(video_of_text), 0)),
        [],
    )
    for part, strip in strips():
        videos = torch.arange(part.start, part.stop).expand(len(strip), -1)
        both = torch.cat([by_text.video, videos], 1), torch.cat([by_text.score, strip], 1)
        by_text = best_of(*both, kept)
        columns = strip[:, groups[positions_inside(groups, part)] - part.start]
        captions = best_captions(columns, group_of_text, len(groups)).T
        by_video.append(best_of(groups.expand(len(captions), -1), captions, kept))
    return by_text, TopLists(*(torch.cat([getattr(x, f.name) for x in by_video]) for f in fields(TopLists)))
