"""Ranks and best lists straight from strips of scores, where the matrix `(N, V)` would not fit.

A strip is the score of all N texts with some videos. Video-to-text ranks come from one pass over the strips;
text-to-video needs each text's own score before it can count, hence a second pass. The same strips are scored
in both, so that equal scores are equal.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

from core.errors import BenchError
from core.ranking import (
    TOLERANCE,
    Counts,
    QueryRecords,
    check_pairing,
    compare,
    compare_groups,
    require_finite,
    some_has_several,
)

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
    tolerance: float = TOLERANCE,
    undefined: Literal["refuse", "allow"] = "refuse",
) -> tuple[QueryRecords, QueryRecords]:
    """Records of both directions, text-to-video first, as `core.ranking` has them from a matrix.

    `video_of_text` `(N,)` int64. Raises `BenchError` naming the pair where a score is not finite, unless
    `undefined` is "allow".
    """
    texts = len(video_of_text)
    check_pairing((texts, videos), video_of_text)
    queries, group_of_text = torch.unique(video_of_text, return_inverse=True)
    own_text, own_video, by_video = torch.empty(texts), torch.empty(len(queries)), list[Counts]()
    for part, strip in strips():
        if undefined == "refuse":
            require_finite(strip, first_text=0, videos=torch.arange(part.start, part.stop))
        here = inside(video_of_text, part)
        own_text[here] = strip[here, video_of_text[here] - part.start]
        asking = inside(queries, part).nonzero()[:, 0]
        columns = strip[:, queries[asking] - part.start]
        own_video[asking], counts = compare_groups(columns, asking, group_of_text, len(queries), tolerance)
        by_video.append(replace(counts, best_wrong=queries[counts.best_wrong]))
    by_text: Counts | None = None
    for part, strip in strips():
        counts = compare(strip, own_text, video_of_text - part.start, tolerance)
        counts = replace(counts, best_wrong=counts.best_wrong + part.start)
        by_text = counts if by_text is None else added(by_text, counts)
    assert by_text is not None
    several = some_has_several(video_of_text)
    return (
        QueryRecords("t2v", torch.arange(texts), video_of_text, own_text, by_text, videos, several),
        QueryRecords("v2t", queries, queries, own_video, joined(by_video), len(queries), several),
    )


def inside(videos: Tensor, part: slice) -> Tensor:
    """Which of some videos `(Q,)` int64 a strip holds, `(Q,)` bool."""
    held: Tensor = (videos >= part.start) & (videos < part.stop)
    return held


def joined(parts: Sequence[Counts]) -> Counts:
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


@dataclass(frozen=True)
class TopLists:
    """The best candidates of each query, best first; of equal scores any may come first."""

    candidates: Tensor
    """`(Q, k)` int64."""
    scores: Tensor
    """`(Q, k)`."""


def top_lists(strips: Strips, k: int) -> tuple[TopLists, TopLists]:
    """The k best videos of each text, and the k best texts of each video, in one pass.

    Fewer than k where there are fewer candidates. Raises `BenchError` where k is below 1.
    """
    if k < 1:
        raise BenchError(f"k={k}: a list of the best holds at least 1 candidate")
    by_text: TopLists | None = None
    by_video = list[TopLists]()
    for part, strip in strips():
        best = strip.topk(min(k, len(strip)), dim=0)
        by_video.append(TopLists(best.indices.T, best.values.T))
        found = strip.topk(min(k, strip.shape[1]), dim=1)
        scores, candidates = found.values, found.indices + part.start
        if by_text is not None:
            scores, candidates = (
                torch.cat(both, dim=1)
                for both in ((by_text.scores, scores), (by_text.candidates, candidates))
            )
        kept = scores.topk(min(k, scores.shape[1]), dim=1)
        by_text = TopLists(candidates.gather(1, kept.indices), kept.values)
    assert by_text is not None
    lists = (torch.cat([x.candidates for x in by_video]), torch.cat([x.scores for x in by_video]))
    return by_text, TopLists(*lists)
