"""Ranks and metrics against double loops, closed forms, enumerated tie orders, and torchmetrics."""

from itertools import permutations
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.retrieval import retrieval_hit_rate

from core.errors import BenchError
from core.evaluation import ranking
from core.evaluation.metrics import metrics_from_ranks, rank_metrics
from core.evaluation.ranking import QueryRecords, compare_scores, text_to_video, video_to_text
from core.evaluation.tie_policies import TIE_POLICIES, mean_ranks, recall_credit
from methods.parity import check_file

GOLDEN = Path(__file__).parents[2] / "golden"
PAIRINGS = {
    "square": (9, list(range(9))),
    "several captions": (6, [0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 5]),
    "videos without captions": (8, [6, 1, 1, 3, 6]),
    "captions out of order": (4, [3, 0, 2, 0, 1, 3, 3]),
    "more videos than texts": (20, [4, 17, 2]),
}


def example(pairing: str, *, tied: bool = False) -> tuple[Tensor, Tensor]:
    videos, video_of_text = PAIRINGS[pairing]
    scores = torch.randn(len(video_of_text), videos, generator=torch.Generator().manual_seed(1))
    return (scores.round() if tied else scores), torch.tensor(video_of_text)


def loop_t2v(scores: Tensor, video_of_text: Tensor, tolerance: float) -> list[tuple[int, int, int]]:
    """(greater, ties, position in a stable descending sort) of each caption."""
    result = []
    for row, own in zip(scores.tolist(), video_of_text.tolist(), strict=True):
        allowed = tolerance * max(map(abs, row))
        greater = sum(s - row[own] > allowed for v, s in enumerate(row) if v != own)
        ties = sum(abs(s - row[own]) <= allowed for v, s in enumerate(row) if v != own)
        order = sorted(range(len(row)), key=lambda v: -row[v])
        result.append((greater, ties, order.index(own)))
    return result


def loop_v2t(scores: Tensor, video_of_text: Tensor, tolerance: float) -> list[tuple[int, int, int]]:
    """The same of each video with captions, among caption groups by their best caption."""
    texts = {
        v: [n for n, own in enumerate(video_of_text.tolist()) if own == v] for v in range(scores.shape[1])
    }
    groups = [v for v in texts if texts[v]]
    result = []
    for video in groups:
        best = [max(float(scores[n, video]) for n in texts[g]) for g in groups]
        own = groups.index(video)
        result += loop_t2v(torch.tensor([best], dtype=torch.float64), torch.tensor([own]), tolerance)
    return result


def as_tuples(records: QueryRecords) -> list[tuple[int, int, int]]:
    counts = records.counts
    position = counts.above + counts.equal_before
    return list(zip(counts.greater.tolist(), counts.ties.tolist(), position.tolist(), strict=True))


@pytest.mark.parametrize("file", ["metrics_clip4clip", "metrics_xpool_tmass"])
def test_the_released_policies_reproduce_the_recorded_metrics(file: str) -> None:
    row = check_file(GOLDEN / f"{file}.safetensors")
    assert row.verdict == "agrees", row.message


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("tolerance", [0.0, 1e-6, 0.3])
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_counts_equal_a_double_loop(pairing: str, tolerance: float, tied: bool) -> None:
    scores, video_of_text = example(pairing, tied=tied)
    scores = scores.double()
    t2v = text_to_video(scores, video_of_text, tolerance=tolerance)
    assert as_tuples(t2v) == loop_t2v(scores, video_of_text, tolerance)
    v2t = video_to_text(scores, video_of_text, tolerance=tolerance)
    assert as_tuples(v2t) == loop_v2t(scores, video_of_text, tolerance)


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_records_name_the_query_its_video_its_score_and_its_best_rival(pairing: str) -> None:
    scores, video_of_text = example(pairing)
    records = text_to_video(scores, video_of_text)
    for n, own in enumerate(video_of_text.tolist()):
        wrong = max((v for v in range(scores.shape[1]) if v != own), key=lambda v: float(scores[n, v]))
        assert (int(records.query[n]), int(records.video[n])) == (n, own)
        assert float(records.own_score[n]) == float(scores[n, own])
        assert int(records.counts.best_wrong[n]) == wrong
        assert float(records.counts.best_wrong_score[n]) == float(scores[n, wrong])


def test_the_rival_of_a_video_is_the_video_whose_captions_score_best() -> None:
    scores = torch.tensor([[0.1, 0.0, 0.9], [0.2, 0.0, 0.8], [0.7, 0.0, 0.5]])
    records = video_to_text(scores, torch.tensor([0, 0, 2]))
    assert records.query.tolist() == [0, 2]
    assert records.counts.best_wrong.tolist() == [2, 0]
    assert records.counts.best_wrong_score.tolist() == [pytest.approx(0.7), pytest.approx(0.9)]
    assert records.candidates == 2


@pytest.mark.parametrize("block", [1, 7, 64])
def test_counts_do_not_depend_on_the_block_size(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, video_of_text = example("several captions", tied=True)
    whole = as_tuples(text_to_video(scores, video_of_text)), as_tuples(video_to_text(scores, video_of_text))
    monkeypatch.setattr(ranking, "SCORES_AT_ONCE", block)
    assert (
        as_tuples(text_to_video(scores, video_of_text)),
        as_tuples(video_to_text(scores, video_of_text)),
    ) == whole


def test_counts_add_up_over_tiles_of_candidates() -> None:
    scores, own = example("square", tied=True)
    own_score = scores.gather(1, own[:, None])[:, 0]
    whole = compare_scores(scores, own_score, own)
    left, right = (
        compare_scores(scores[:, :4], own_score, own),
        compare_scores(scores[:, 4:], own_score, own - 4),
    )
    for name in ("greater", "ties", "above", "equal", "equal_before", "undefined"):
        assert torch.equal(vars(left)[name] + vars(right)[name], vars(whole)[name])
    rivals = torch.maximum(left.best_wrong_score, right.best_wrong_score)
    assert torch.equal(rivals, whole.best_wrong_score)


def test_scores_within_the_tolerance_tie_and_beyond_it_do_not() -> None:
    scores = torch.tensor(
        [[0.5, 0.5 + 0.9e-6, 0.5 - 0.9e-6, 0.5 + 1.3e-6, 0.5 - 1.3e-6]], dtype=torch.float64
    )
    counts = text_to_video(scores, torch.tensor([0])).counts
    assert (int(counts.greater), int(counts.ties)) == (1, 2)


@pytest.mark.parametrize("scale", [2.0**-17, 1e-5, 1e3])
def test_a_score_and_a_multiple_of_it_have_the_same_ranks(scale: float) -> None:
    scores, pairing = torch.rand(40, 30, generator=torch.Generator().manual_seed(2)), torch.arange(40) % 30
    scores = (scores * 50).round() / 50  # many ties
    scores += 2e-7 * torch.rand(40, 30, generator=torch.Generator().manual_seed(3))  # but for rounding
    for rank in (text_to_video, video_to_text):
        once, scaled = rank(scores, pairing).counts, rank(scale * scores, pairing).counts
        assert torch.equal(once.greater, scaled.greater)
        assert torch.equal(once.ties, scaled.ties)
        assert bool((once.ties > 0).any())


@pytest.mark.parametrize("videos", [1, 4, 15])
def test_a_constant_scorer_gets_chance_under_the_expected_policy(videos: int) -> None:
    scores, pairing = torch.full((videos, videos), 0.3), torch.arange(videos)
    for records in (text_to_video(scores, pairing), video_to_text(scores, pairing)):
        expected = rank_metrics(records)
        for k, recall in expected.recall.items():
            assert recall == pytest.approx(100 * min(1, k / videos))
        assert expected.mean_rank == expected.median_rank == (videos + 1) / 2
        assert rank_metrics(records, "optimistic").mean_rank == 1
        assert rank_metrics(records, "pessimistic").mean_rank == videos


def test_the_expected_policy_is_the_mean_over_all_orders_of_the_ties() -> None:
    scores, pairing = torch.tensor([[2.0, 1.0, 2.0, 1.0, 1.0]]), torch.tensor([3])
    ranks = []
    for order in permutations(range(5)):
        ranked = sorted(order, key=lambda v: -float(scores[0, v]))
        ranks.append(1 + ranked.index(3))
    records = text_to_video(scores, pairing)
    assert float(mean_ranks(records)) == pytest.approx(sum(ranks) / len(ranks))
    for k in (1, 3, 4, 5):
        assert float(recall_credit(records, k)) == pytest.approx(sum(r <= k for r in ranks) / len(ranks))


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_policies_agree_where_nothing_ties(pairing: str) -> None:
    for records in (text_to_video(*example(pairing)), video_to_text(*example(pairing))):
        figures = [rank_metrics(records, policy) for policy in TIE_POLICIES if policy != "clip4clip"]
        assert all(figure == figures[0] for figure in figures)
        assert rank_metrics(records, "clip4clip").recall == figures[0].recall


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_policies_are_ordered(pairing: str) -> None:
    for records in (text_to_video(*example(pairing, tied=True)), video_to_text(*example(pairing, tied=True))):
        best, middle, worst = (mean_ranks(records, p) for p in ("optimistic", "expected", "pessimistic"))
        sort = mean_ranks(records, "xpool")
        assert bool(((best <= middle) & (middle <= worst) & (best <= sort) & (sort <= worst)).all())


def test_clip4clip_counts_every_tied_position_of_a_square_matrix() -> None:
    scores = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 2.0], [3.0, 3.0, 3.0]])
    metrics = rank_metrics(text_to_video(scores, torch.arange(3)), "clip4clip")
    entries = [1, 2, 2, 1, 2, 3]
    assert metrics.queries == len(entries)
    assert metrics.mean_rank == pytest.approx(sum(entries) / len(entries))
    assert metrics.median_rank == 2
    assert metrics.recall[1] == pytest.approx(100 * 2 / 6)


def test_clip4clip_takes_the_lower_middle_rank_of_several_captions() -> None:
    scores = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    records = text_to_video(scores, torch.tensor([0, 0, 0, 1]))
    assert rank_metrics(records, "clip4clip").median_rank == 1
    assert rank_metrics(records, "xpool").median_rank == 1.5


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_recall_equals_torchmetrics(pairing: str) -> None:
    scores, video_of_text = example(pairing)
    metrics = rank_metrics(text_to_video(scores, video_of_text))
    for k in (1, 5, 10):
        hits = [
            retrieval_hit_rate(row, torch.arange(len(row)) == own, top_k=min(k, len(row)))
            for row, own in zip(scores, video_of_text, strict=True)
        ]
        assert metrics.recall[k] == pytest.approx(100 * float(torch.stack(hits).mean()), abs=1e-4)


def test_the_median_of_an_even_number_of_ranks_is_the_mean_of_the_middle_two() -> None:
    assert metrics_from_ranks(torch.tensor([1, 2, 5, 40])).median_rank == 3.5


@pytest.mark.parametrize("rank", [text_to_video, video_to_text])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_an_undefined_score_is_refused_by_name(rank: object, value: float) -> None:
    scores, video_of_text = example("videos without captions")
    scores[3, 6] = value
    with pytest.raises(BenchError, match=rf"text 3 with video 6 is {value}"):
        rank(scores, video_of_text)  # type: ignore[operator]


def test_an_undefined_own_score_leaves_the_query_out_and_counts_it() -> None:
    scores, video_of_text = example("square")
    scores[2, 2] = torch.nan
    keep = torch.arange(9) != 2
    metrics = rank_metrics(text_to_video(scores, video_of_text, undefined="allow"))
    without = rank_metrics(text_to_video(scores[keep], video_of_text[keep]))
    assert metrics.undefined == 1
    assert (metrics.recall, metrics.mean_rank, metrics.queries) == (without.recall, without.mean_rank, 8)


def test_an_undefined_distractor_ranks_first_for_a_text_and_last_for_a_video() -> None:
    scores, pairing = torch.tensor([[0.5, torch.nan], [0.1, 0.7]]), torch.arange(2)
    t2v = text_to_video(scores, pairing, undefined="allow")
    assert mean_ranks(t2v, "xpool").tolist() == mean_ranks(t2v, "expected").tolist() == [2, 1]
    assert mean_ranks(t2v, "clip4clip").tolist() == [1, 1]
    assert mean_ranks(video_to_text(scores, pairing, undefined="allow"), "xpool").tolist() == [1, 1]


def test_metrics_of_nothing_are_nan() -> None:
    records = text_to_video(torch.full((2, 2), torch.nan), torch.arange(2), undefined="allow")
    metrics = rank_metrics(records)
    assert (metrics.queries, metrics.undefined) == (0, 2)
    assert metrics.mean_rank != metrics.mean_rank
    assert metrics.recall[1] != metrics.recall[1]


@pytest.mark.parametrize(
    ("scores", "video_of_text", "message"),
    [
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), "nothing to rank"),
        (torch.zeros(2, 3), torch.tensor([0]), "2 texts are scored, but 1"),
        (
            torch.zeros(2, 3),
            torch.tensor([0, 3]),
            "text 1 is assigned to video 3, but there are only 3 videos",
        ),
    ],
)
def test_a_pairing_that_does_not_fit_is_refused(scores: Tensor, video_of_text: Tensor, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        text_to_video(scores, video_of_text)


def test_an_unknown_policy_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(BenchError, match="did you mean 'expected'"):
        rank_metrics(text_to_video(torch.eye(2), torch.arange(2)), "expcted")  # type: ignore[arg-type]
