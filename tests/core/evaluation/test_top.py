"""The best candidates of every query against a sort by hand."""

import pytest
import torch

from core.evaluation.ranking import Direction, text_to_video, video_to_text
from core.evaluation.top import best_of, top_lists

PAIRING = torch.tensor([0, 0, 2, 3, 3])
"""Five texts, four videos; video 1 has no caption."""


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.rand(5, 4, generator=torch.Generator().manual_seed(0))


def test_a_text_gets_its_videos_by_score(scores: torch.Tensor) -> None:
    top = top_lists(scores, PAIRING, "t2v", kept=3)
    for row, videos, values in zip(scores.tolist(), top.video.tolist(), top.score.tolist(), strict=True):
        assert videos == sorted(range(4), key=lambda v: -row[v])[:3]
        assert values == pytest.approx(sorted(row, reverse=True)[:3])


def test_a_video_gets_the_caption_groups_by_their_best_caption(scores: torch.Tensor) -> None:
    top = top_lists(scores, PAIRING, "v2t")
    for video, found in zip((0, 2, 3), top.video.tolist(), strict=True):
        best = {g: max(float(scores[t, video]) for t, p in enumerate(PAIRING) if p == g) for g in (0, 2, 3)}
        assert found == sorted(best, key=lambda g: -best[g])


@pytest.mark.parametrize("direction", ["t2v", "v2t"])
def test_the_first_wrong_candidate_is_the_best_rival_of_the_records(
    direction: Direction, scores: torch.Tensor
) -> None:
    records = {"t2v": text_to_video, "v2t": video_to_text}[direction](scores, PAIRING)
    lists = top_lists(scores, PAIRING, direction).video
    firsts = [
        next(v for v in row if v != own)
        for row, own in zip(lists.tolist(), records.video.tolist(), strict=True)
    ]
    assert firsts == records.counts.best_wrong.tolist()


def test_equal_scores_keep_their_order_and_undefined_ones_stand_last() -> None:
    scores = torch.tensor([[0.5, torch.nan, 0.7, 0.5]])
    top = top_lists(scores, torch.tensor([0]), "t2v")
    assert top.video.tolist() == [[2, 0, 3, 1]]
    assert top.score[0, 3] == -torch.inf


@pytest.mark.parametrize("kept", [0, 1, 7, 20, 60, 100])
@pytest.mark.parametrize("kind", ["distinct", "few values", "one value", "undefined", "infinite", "halves"])
def test_the_best_are_the_first_of_a_stable_sort(kind: str, kept: int) -> None:
    scores = torch.randn(40, 60, generator=torch.Generator().manual_seed(2))
    if kind == "few values":
        scores = scores.round()
    if kind == "one value":
        scores = torch.zeros_like(scores) * scores.sign()  # zeros of both signs
    if kind == "undefined":
        scores = scores.round().masked_fill(scores > 0.2, torch.nan)
    if kind == "infinite":
        scores = torch.where(scores.abs() > 1, scores.sign() * torch.inf, scores.round())
    if kind == "halves":
        scores = scores.half()
    candidates = torch.randperm(60, generator=torch.Generator().manual_seed(3)).expand(40, -1)
    known = scores.masked_fill(scores.isnan(), -torch.inf)
    sort = known.sort(dim=1, descending=True, stable=True)
    best = best_of(candidates, scores, kept)
    assert torch.equal(best.video, candidates.gather(1, sort.indices[:, :kept]))
    assert torch.equal(best.score, sort.values[:, :kept].float())


def test_blocks_of_queries_do_not_change_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = torch.randn(23, 50, generator=torch.Generator().manual_seed(4)).round()
    whole = best_of(torch.arange(50).expand(23, -1), scores, 5)
    monkeypatch.setattr("core.evaluation.top.SCORES_AT_ONCE", 120)
    parts = best_of(torch.arange(50).expand(23, -1), scores, 5)
    assert torch.equal(parts.video, whole.video)
    assert torch.equal(parts.score, whole.score)
