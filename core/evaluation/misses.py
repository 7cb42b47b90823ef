"""Absent videos counted as misses: scored without them, ranked with them.

The scores of a split with absent videos are those of the split without them, so every method, condition
and rescoring means what it always means. Afterwards the absent videos' captions join the text-to-video
queries, each with rank V of V gallery videos, and the absent videos join the video-to-text queries, each
with rank G of G caption groups. Under every tie policy a miss is a miss: it ties with nothing. The ranks of
all other queries stay, because an absent video, or its caption group, outranks nothing.
"""

from dataclasses import fields, replace

import torch
from torch import Tensor

from core.dataset import Split
from core.evaluation.ranking import Counts, Direction, QueryRecords
from core.evaluation.top import TopLists

MISSED_SCORE = torch.finfo(torch.float32).min
"""Own score of a missed query: finite, because the query is defined, and below every score."""


def present_videos(split: Split) -> Tensor:
    """Positions in `split.videos` `(V',)` int64 of the videos that are scored."""
    return torch.tensor([i for i in range(len(split.videos)) if i not in split.absent])


def count_misses(records: QueryRecords, split: Split) -> QueryRecords:
    """The records of a whole split from those of its present part.

    `records` counts videos and captions within the present part; the result counts them within the split.
    """
    if not split.absent:
        return records
    videos = present_videos(split)
    pairing = torch.tensor(split.video_of_caption)
    missing = torch.isin(pairing, torch.tensor(sorted(split.absent)))
    texts = (~missing).nonzero().squeeze(1)
    if records.direction == "t2v":
        query, missed = texts[records.query], missing.nonzero().squeeze(1)
        missed_video, candidates = pairing[missed], len(split.videos)
    else:
        query, missed = videos[records.query], pairing[missing].unique()
        missed_video, candidates = missed, len(pairing.unique())
    counts = replace(records.counts, best_wrong=videos[records.counts.best_wrong])
    order = torch.cat([query, missed]).argsort()
    ends = torch.cat([records.own_score, records.own_score.new_full((len(missed),), MISSED_SCORE)])
    return replace(
        records,
        query=torch.cat([query, missed])[order],
        video=torch.cat([videos[records.video], missed_video])[order],
        own_score=ends[order],
        counts=_joined(counts, _missed_counts(missed_video, candidates, counts), order),
        candidates=candidates,
        several_captions=bool((pairing.bincount() > 1).any()),
    )


def with_absent_videos(top: TopLists, direction: Direction, split: Split) -> TopLists:
    """The best lists of a whole split from those of its present part; a missed query has no candidates."""
    if not split.absent:
        return top
    videos, pairing = present_videos(split), torch.tensor(split.video_of_caption)
    asked = pairing if direction == "t2v" else pairing.unique()
    present = ~torch.isin(asked, torch.tensor(sorted(split.absent)))
    video = torch.zeros(len(asked), top.video.shape[1], dtype=torch.int64)
    score = torch.full(video.shape, -torch.inf)
    video[present], score[present] = videos[top.video], top.score
    return TopLists(video, score)


def _missed_counts(videos: Tensor, candidates: int, like: Counts) -> Counts:
    """Counts of queries `(Q,)` that rank behind every candidate; the best wrong one is not known."""
    nothing = torch.zeros_like(videos)
    return Counts(
        greater=nothing + candidates - 1,
        ties=nothing,
        above=nothing + candidates - 1,
        equal=nothing,
        equal_before=nothing,
        undefined=nothing,
        best_wrong=videos,
        best_wrong_score=like.best_wrong_score.new_full(videos.shape, -torch.inf),
    )


def _joined(first: Counts, second: Counts, order: Tensor) -> Counts:
    names = [field.name for field in fields(Counts)]
    return Counts(**{n: torch.cat([getattr(first, n), getattr(second, n)])[order] for n in names})
