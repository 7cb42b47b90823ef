"""Ranks and best lists from strips equal those from the whole matrix."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from core.errors import BenchError
from core.evaluation.metrics import rank_metrics
from core.evaluation.ranking import Counts, text_to_video, video_to_text
from core.evaluation.streaming import Strips, scored_once, streamed_ranking, write_strip
from core.evaluation.tie_policies import TIE_POLICIES
from core.evaluation.top import top_lists

PAIRINGS = {
    "square": (9, list(range(9))),
    "several captions, out of order": (6, [5, 0, 1, 0, 1, 2, 3, 3, 4, 5, 5, 2]),
    "videos without captions": (8, [6, 1, 1, 3, 6]),
}


def example(pairing: str, kind: str = "plain") -> tuple[Tensor, Tensor]:
    videos, video_of_text = PAIRINGS[pairing]
    scores = torch.randn(len(video_of_text), videos, generator=torch.Generator().manual_seed(1))
    if kind == "tied":
        scores = scores.round()
    if kind == "undefined":
        scores[1, 2], scores[3, video_of_text[3]], scores[0] = torch.nan, torch.nan, torch.nan
    return scores, torch.tensor(video_of_text)


def strips_of(scores: Tensor, width: int) -> Strips:
    def strips() -> Iterator[tuple[slice, Tensor]]:
        for start in range(0, scores.shape[1], width):
            part = slice(start, min(start + width, scores.shape[1]))
            yield part, scores[:, part]

    return strips


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("width", [1, 3, 50])
@pytest.mark.parametrize("kind", ["plain", "tied", "undefined"])
def test_records_do_not_depend_on_strips(pairing: str, width: int, kind: str) -> None:
    scores, own = example(pairing, kind)
    found = streamed_ranking(strips_of(scores, width), scores.shape[1], own, undefined="allow")
    for records, rank in zip(found.records, (text_to_video, video_to_text), strict=True):
        expected = rank(scores, own, undefined="allow")
        for field in fields(Counts):
            left, right = (getattr(r.counts, field.name) for r in (records, expected))
            assert_close(left, right, rtol=0, atol=0, equal_nan=True)
        assert_close(records.own_score, expected.own_score, rtol=0, atol=0, equal_nan=True)
        for policy in TIE_POLICIES:
            assert str(rank_metrics(records, policy)) == str(rank_metrics(expected, policy))


def test_an_undefined_score_is_named() -> None:
    scores, own = example("square", "undefined")
    with pytest.raises(BenchError, match="text 0 with video 0 is nan"):
        streamed_ranking(strips_of(scores, 4), 9, own)


@pytest.mark.parametrize("kept", [1, 3, 100])
@pytest.mark.parametrize("width", [1, 4, 50])
@pytest.mark.parametrize("kind", ["plain", "tied", "undefined"])
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_best_lists_are_those_of_the_matrix(pairing: str, kind: str, width: int, kept: int) -> None:
    scores, own = example(pairing, kind)
    strips = strips_of(scores, width)
    found = streamed_ranking(strips, scores.shape[1], own, undefined="allow", kept=kept)
    for lists, direction in zip(found.lists, ("t2v", "v2t"), strict=True):
        expected = top_lists(scores, own, direction, kept)
        assert torch.equal(lists.video, expected.video)
        assert torch.equal(lists.score, expected.score)


@pytest.mark.parametrize("kind", ["plain", "undefined"])
def test_strips_are_scored_once_and_come_back_bit_by_bit(kind: str, tmp_path: Path) -> None:
    scores, _ = example("several captions, out of order", kind)
    passes, strips = [], strips_of(scores, 4)

    def counted() -> Iterator[tuple[slice, Tensor]]:
        passes.append(1)
        yield from strips()

    with scored_once(counted, tmp_path) as once:
        for _ in range(3):
            assert_close(torch.cat([strip for _, strip in once()], 1), scores, rtol=0, atol=0, equal_nan=True)
        assert [part for part, _ in once()] == [part for part, _ in strips()]
    assert len(passes) == 1
    assert not list(tmp_path.iterdir())


def test_a_first_pass_that_is_given_up_leaves_nothing_in_the_next(tmp_path: Path) -> None:
    scores, _ = example("square")
    with scored_once(strips_of(scores, 4), tmp_path) as once:
        next(iter(once()))
        for _ in range(2):
            assert torch.equal(torch.cat([strip for _, strip in once()], 1), scores)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_fills_up_is_named(tmp_path: Path) -> None:
    strip = torch.zeros(1000, 1000)  # longer than the buffer of a file
    with (
        Path("/dev/full").open("wb") as file,
        pytest.raises(BenchError, match="the disk is full while scores"),
    ):
        write_strip(file, strip, tmp_path)
