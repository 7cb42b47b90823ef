"""R@K over the size of the gallery: the exact expectation, compared with drawing distractors."""

import pytest
import torch

from core.evaluation.gallery_size import recall_over_sizes, sizes_of
from core.evaluation.metrics import rank_metrics
from core.evaluation.ranking import text_to_video

TEXTS, VIDEOS, DISTRACTORS = 20, 10, 32
PAIRING = torch.arange(TEXTS) % VIDEOS
SCORES = torch.randn(TEXTS, VIDEOS + DISTRACTORS, generator=torch.Generator().manual_seed(0))
SCORES[torch.arange(TEXTS), PAIRING] += 1.5


def recalls(scores: torch.Tensor) -> dict[int, float]:
    found = rank_metrics(text_to_video(scores, PAIRING)).recall
    return {k: found[k] for k in (1, 5, 10)}


def test_both_ends_of_the_curve_are_the_recalls_without_and_with_all_distractors() -> None:
    curve = recall_over_sizes(SCORES, PAIRING, DISTRACTORS, 0.0)
    for point, scores in ((curve[0], SCORES[:, :VIDEOS]), (curve[-1], SCORES)):
        assert point["gallery"] == scores.shape[1]
        assert {k: point[f"R@{k}"] for k in (1, 5, 10)} == pytest.approx(recalls(scores))


def test_a_point_between_is_the_mean_over_draws_of_distractors() -> None:
    point = next(
        p for p in recall_over_sizes(SCORES, PAIRING, DISTRACTORS, 0.0) if 1 < p["gallery"] - VIDEOS < 32
    )
    drawn, random = int(point["gallery"]) - VIDEOS, torch.Generator().manual_seed(1)
    found = []
    for _ in range(400):
        chosen = VIDEOS + torch.randperm(DISTRACTORS, generator=random)[:drawn]
        found.append(recalls(torch.cat([SCORES[:, :VIDEOS], SCORES[:, chosen]], dim=1)))
    for k in (1, 5, 10):
        mean = sum(one[k] for one in found) / len(found)
        assert point[f"R@{k}"] == pytest.approx(mean, abs=1.0)


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_sizes_grow_from_none_to_all(count: int) -> None:
    sizes = sizes_of(count)
    assert sizes[0] == 0 and sizes[-1] == count
    assert sizes == sorted(set(sizes))
