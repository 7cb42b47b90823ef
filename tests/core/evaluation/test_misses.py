"""Absent videos count as misses: last rank for their own queries, nothing changes for the others."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.dataset import Split, Video
from core.evaluation.metrics import rank_metrics
from core.evaluation.misses import MISSED_SCORE, count_misses, present_videos
from core.evaluation.ranking import QueryRecords, text_to_video, video_to_text
from core.evaluation.tie_policies import TIE_POLICIES, mean_ranks

VIDEO_OF_CAPTION = (0, 0, 1, 2, 3, 3, 4)
ABSENT = frozenset({1, 3})
"""Of five videos; captions 2, 4 and 5 are theirs."""

SCORES = torch.tensor(
    [  # videos 0, 2, 4: the ones that are there
        [0.9, 0.1, 0.2],
        [0.3, 0.5, 0.3],
        [0.2, 0.7, 0.1],
        [0.1, 0.1, 0.8],
    ]
)
"""Of captions 0, 1, 3 and 6 with the present videos."""


def split() -> Split:
    return Split(
        videos=tuple(Video(f"v{i}", Path(f"v{i}.mp4")) for i in range(5)),
        captions=tuple(f"caption {i}" for i in range(7)),
        video_of_caption=VIDEO_OF_CAPTION,
        absent=ABSENT,
    )


def records(direction: str, scores: Tensor = SCORES) -> QueryRecords:
    rank = text_to_video if direction == "t2v" else video_to_text
    return count_misses(rank(scores, torch.tensor([0, 0, 1, 2])), split())


@pytest.mark.parametrize("policy", TIE_POLICIES)
def test_captions_of_absent_videos_rank_behind_the_whole_gallery(policy: str) -> None:
    found = records("t2v", SCORES + torch.tensor([0.0, 0.0, 0.001]))  # no ties
    # Caption 1 has video 2 and video 4 before its own; captions 2, 4, 5 have all five videos before them.
    assert mean_ranks(found, policy).tolist() == [1, 3, 5, 1, 5, 5, 1]
    assert found.query.tolist() == list(range(7))
    assert found.video.tolist() == list(VIDEO_OF_CAPTION)
    assert found.candidates == 5
    metrics = rank_metrics(found, policy)
    assert (metrics.queries, metrics.undefined) == (7, 0)
    assert metrics.recall[1] == pytest.approx(100 * 3 / 7)
    assert metrics.recall[5] == 100
    assert metrics.mean_rank == pytest.approx((1 + 3 + 5 + 1 + 5 + 5 + 1) / 7)
    assert metrics.median_rank == 3


@pytest.mark.parametrize("policy", TIE_POLICIES)
def test_absent_videos_rank_behind_all_caption_groups(policy: str) -> None:
    found = records("v2t")
    # Best captions per group: video 0 has .9 of its own; video 2 has .7 of its own; video 4 has .8.
    assert mean_ranks(found, policy).tolist() == [1, 5, 1, 5, 1]
    assert found.query.tolist() == found.video.tolist() == [0, 1, 2, 3, 4]
    assert found.candidates == 5
    assert rank_metrics(found, policy).recall[1] == 60


def test_ties_of_the_others_stay_and_misses_tie_with_nothing() -> None:
    found = records("t2v")
    assert found.counts.ties.tolist() == [0, 1, 0, 0, 0, 0, 0]  # caption 1: videos 0 and 4 both at .3
    assert mean_ranks(found, "pessimistic").tolist() == [1, 3, 5, 1, 5, 5, 1]
    assert mean_ranks(found, "optimistic").tolist() == [1, 2, 5, 1, 5, 5, 1]


def test_best_wrong_videos_are_counted_in_the_whole_split() -> None:
    found = records("t2v")
    assert found.counts.best_wrong[[0, 1, 3, 6]].tolist() == [4, 2, 0, 0]
    assert found.own_score[[2, 4, 5]].tolist() == [MISSED_SCORE] * 3
    assert found.counts.best_wrong_score[[2, 4, 5]].tolist() == [-torch.inf] * 3
    assert present_videos(split()).tolist() == [0, 2, 4]


def test_a_whole_split_is_left_as_it_is() -> None:
    found = text_to_video(SCORES, torch.tensor([0, 0, 1, 2]))
    assert count_misses(found, replace(split(), absent=frozenset())) is found


def test_several_captions_are_told_by_the_whole_split() -> None:
    """CLIP4Clip computes other metrics with several captions; an absent video may be the only one."""
    only = Split(
        videos=tuple(Video(f"v{i}", Path()) for i in range(3)),
        captions=("a", "b", "c", "d"),
        video_of_caption=(0, 1, 2, 2),
        absent=frozenset({2}),
    )
    assert count_misses(text_to_video(torch.eye(2), torch.tensor([0, 1])), only).several_captions
