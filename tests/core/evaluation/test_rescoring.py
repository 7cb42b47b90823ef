"""Dual softmax and QB-Norm against double loops in float64."""

import math
from pathlib import Path

import pytest
import torch

from core.errors import BenchError
from core.evaluation.rescoring import dual_softmax, qb_norm, qb_norm_protocol, query_bank
from methods.parity import check_file

GOLDEN = Path(__file__).parents[2] / "golden"


def cosines(rows: int, columns: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, columns, generator=generator, dtype=torch.float64) * 2 - 1


def test_qb_norm_reproduces_the_recorded_scores() -> None:
    row = check_file(GOLDEN / "rescoring_qbnorm.safetensors")
    assert row.verdict == "agrees", row.message


def test_dual_softmax_normalises_each_video_over_the_texts() -> None:
    scores = cosines(7, 5, seed=0)
    for n in range(7):
        for v in range(5):
            mass = sum(math.exp(100 * float(scores[m, v])) for m in range(7))
            expected = float(scores[n, v]) * math.exp(100 * float(scores[n, v])) / mass
            assert float(dual_softmax(scores)[n, v]) == pytest.approx(expected, rel=1e-12)


def test_dual_softmax_keeps_caption_slots_apart() -> None:
    grouped = cosines(6, 10, seed=1).reshape(6, 2, 5)
    slots = [dual_softmax(grouped[:, slot]) for slot in range(2)]
    torch.testing.assert_close(dual_softmax(grouped), torch.stack(slots, dim=1))


def test_an_undefined_score_spoils_its_column_of_dual_softmax_only() -> None:
    scores = cosines(4, 3, seed=2)
    scores[1, 2] = torch.nan
    assert dual_softmax(scores).isnan().tolist() == [[False, False, True]] * 4


@pytest.mark.parametrize(("beta", "k"), [(20.0, 1), (3.0, 2), (20.0, 6)])
def test_qb_norm_equals_a_double_loop(beta: float, k: int) -> None:
    bank, scores = cosines(9, 6, seed=3) * 0.3, cosines(8, 6, seed=4) * 0.3
    hubs = {v for row in bank.tolist() for v in sorted(range(6), key=lambda i: -row[i])[:k]}
    ours = qb_norm(scores, query_bank(bank, beta=beta, k=k))
    for n, row in enumerate(scores.tolist()):
        for v, score in enumerate(row):
            mass = sum(math.exp(beta * float(bank[m, v])) for m in range(9))
            expected = math.exp(beta * score) / mass if row.index(max(row)) in hubs else score
            assert float(ours[n, v]) == pytest.approx(expected, rel=1e-12)


def test_qb_norm_survives_scores_whose_exponential_overflows() -> None:
    bank, scores = torch.full((3, 2), 90.0), torch.full((1, 2), 90.0)
    assert qb_norm(scores, query_bank(bank)).tolist() == [[pytest.approx(1 / 3, rel=1e-4)] * 2]


def test_a_bank_that_cannot_normalise_is_refused() -> None:
    with pytest.raises(BenchError, match="at least one bank query"):
        query_bank(torch.zeros(0, 4))
    with pytest.raises(BenchError, match="finite"):
        query_bank(torch.tensor([[0.1, torch.nan]]))
    with pytest.raises(BenchError, match="k is 5"):
        query_bank(torch.zeros(2, 4), k=5)
    with pytest.raises(BenchError, match="finite scores"):
        qb_norm(torch.tensor([[0.1, torch.nan]]), query_bank(torch.zeros(2, 2)))


def test_the_label_says_whose_captions_filled_the_bank() -> None:
    assert qb_norm_protocol("val") == "QB-Norm (bank-based: validation captions, beta 20, k 1)"
