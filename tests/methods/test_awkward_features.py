"""Zero frames, silence, padding and empty clips stay finite and change nothing else."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch.testing import assert_close

from core.errors import BenchError
from methods.parts.interaction.multi_grained import local_similarity
from methods.parts.pooling.mean import mean_of_directions, released_mean_of_directions
from methods.parts.vectors import frame_cosines, unit
from tests.methods.small_worlds import (
    FUSIONS,
    POOLINGS,
    TIGHT,
    random_method,
    random_noise,
    random_texts,
    random_videos,
)


def test_unit_is_the_direction_and_leaves_zero_alone() -> None:
    x = torch.randn(4, 8, dtype=torch.float64)
    assert_close(unit(x), x / x.norm(dim=-1, keepdim=True), rtol=0, atol=0)
    zero = torch.zeros(8, requires_grad=True)
    unit(zero).sum().backward()
    assert (unit(zero) == 0).all()
    assert zero.grad.isfinite().all()


@pytest.mark.parametrize(("fusion", "pooling"), list(product(FUSIONS, POOLINGS)))
@pytest.mark.parametrize("perturbation", ["stp", "dasp"])
@pytest.mark.parametrize("pairs", ["paired", "all-pairs"])
def test_zero_frames_and_silence_train_and_score_finitely(
    fusion: str, pooling: str, perturbation: str, pairs: str
) -> None:
    config = {"fusion": fusion, "pooling": pooling, "perturbation": perturbation, "pairs": pairs}
    method, texts, videos = (
        random_method(**config, support_weight=0.8, margin_beta=0.2),
        random_texts(4),
        random_videos(4),
    )
    frames = videos.frames.clone()
    frames[0], frames[2, 1] = 0, 0
    frames.requires_grad_()
    videos = replace(videos, frames=frames, has_audio=torch.zeros(4, dtype=torch.bool))
    loss = method.loss(texts, videos, torch.Generator().manual_seed(0)).total
    loss.backward()
    assert loss.isfinite()
    assert frames.grad.isfinite().all()
    for name, parameter in method.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    assert method.score(texts, method.index(videos), random_noise(4, 4)).isfinite().all()


def test_a_zero_frame_has_cosine_zero_with_every_text() -> None:
    assert (frame_cosines(torch.randn(3, 1, 8), torch.zeros(2, 5, 8)) == 0).all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_frames_do_not_matter_whatever_they_hold(pooling: str) -> None:
    method, texts, videos = random_method(pooling=pooling), random_texts(3), random_videos(4)
    other = torch.where(videos.frame_mask[..., None], videos.frames, 7.0)
    noise = random_noise(3, 4)
    expected = method.score(texts, method.index(videos), noise)
    assert_close(method.score(texts, method.index(replace(videos, frames=other)), noise), expected, **TIGHT)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_video_without_real_frames_stays_finite(pooling: str) -> None:
    method, texts, videos = random_method(pooling=pooling), random_texts(3), random_videos(4)
    mask = videos.frame_mask.clone()
    mask[2] = False
    scores = method.score(texts, method.index(replace(videos, frame_mask=mask)), random_noise(3, 4))
    assert scores.isfinite().all()
    if pooling in ("mean", "sequence-transformer"):
        assert (scores[:, 2] == 0).all()


def test_mean_pooling_is_the_released_one_wherever_that_is_defined() -> None:
    videos = random_videos(4)
    frames = torch.where(videos.frame_mask[..., None], videos.frames, 0.0)
    mask = videos.frame_mask.clone()
    mask[2] = False
    released = released_mean_of_directions(frames, mask)
    ours = unit(mean_of_directions(frames, mask))
    assert released[[1, 2, 3]].isnan().all()  # zero padding frames, or no real frame at all
    assert_close(ours[0], released[0], **TIGHT)
    assert ours.isfinite().all()


def test_local_similarity_does_not_overflow() -> None:
    cosines, mask = torch.ones(1, 1, 4), torch.ones(1, 4, dtype=torch.bool)
    similarity = local_similarity(cosines, mask, torch.tensor(100.0), 4.0)
    assert_close(similarity, 1 + torch.tensor(4.0).log()[None, None] / 400)


def test_videos_of_another_shape_are_refused() -> None:
    method, videos = random_method(), random_videos(2)
    with pytest.raises(BenchError, match=r"videos have \(4, 8\) frames x width, the method has \(5, 8\)"):
        method.index(replace(videos, frames=videos.frames[:, :4]))
