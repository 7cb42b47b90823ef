"""The released procedure, re-stated with its loops, gives the scores that the product gives without them."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from core.batch import Videos
from core.timing.clock import Stopwatch
from methods.composed import ComposedMethod
from methods.gaid import Gaid
from methods.released.grouping import grouped
from methods.released.procedure import GROWTH, as_released
from methods.tmass import TMass
from methods.xpool import XPool
from tests.methods.small_worlds import (
    FRAMES,
    TIGHT,
    TableNoise,
    random_method,
    random_noise,
    random_texts,
    random_videos,
    released_scores,
)

OWNERS = [2, 0, 1, 1, 2, 0]  # two captions per video, in no order


def whole_videos(count: int) -> Videos:
    """Videos without padding frames, of which the released code knows nothing."""
    videos = random_videos(count)
    return Videos(**{**vars(videos), "frame_mask": torch.ones(count, FRAMES, dtype=torch.bool)})


def restated(built: ComposedMethod, owners: list[int], noise: TableNoise) -> tuple[Tensor, Stopwatch]:
    watch = Stopwatch(torch.device("cpu"))
    index = built.index(whole_videos(3))
    texts = random_texts(len(owners)).embeds
    return as_released(built, texts, index, owners, lambda v, k: noise.table[:, v, k], watch), watch


@pytest.mark.parametrize("owners", [[0, 1, 2], [1, 2, 0], OWNERS])
@pytest.mark.parametrize(
    ("method", "config"),
    [
        (TMass, {}),
        (TMass, {"prior": "normal", "prior_std": 0.1}),
        (TMass, {"perturbation": "dasp"}),
        (Gaid, {}),
        (Gaid, {"perturbation": "stp"}),
        (Gaid, {"fusion": "token"}),
    ],
)
def test_the_loops_give_the_released_scores(
    method: type[ComposedMethod], config: dict[str, object], owners: list[int]
) -> None:
    built, noise = random_method(method=method, **config), random_noise(len(owners), 3)
    scores, _ = restated(built, owners, noise)
    texts, pairing = random_texts(len(owners)), torch.tensor(owners)
    expected = released_scores(built, texts, whole_videos(3), pairing, noise)
    assert_close(scores, expected, **TIGHT)


@pytest.mark.parametrize("owners", [[1, 2, 0], OWNERS])
def test_without_a_perturbation_the_loops_score_cleanly(owners: list[int]) -> None:
    built, noise = random_method(method=XPool), random_noise(len(owners), 3)
    scores, _ = restated(built, owners, noise)
    expected = built.score(random_texts(len(owners)), built.index(whole_videos(3)), noise)
    assert_close(scores, expected, **TIGHT)


def test_without_a_perturbation_a_gate_still_sees_the_videos_own_caption() -> None:
    built, noise = random_method(method=Gaid, perturbation="none"), random_noise(3, 3)
    texts, index = random_texts(3), built.index(whole_videos(3))
    scores, _ = restated(built, [2, 0, 1], noise)
    expected = built.score_gated_by(texts.embeds[[1, 2, 0]], texts, index, noise)
    assert_close(scores, expected, **TIGHT)


def test_every_stage_is_a_lap_whose_growth_is_known() -> None:
    stages: set[str] = set()
    for built in (random_method(method=XPool), random_method(method=TMass)):
        _, watch = restated(built, [0, 1, 2], random_noise(3, 3))
        stages |= set(watch.laps)
    assert stages == set(GROWTH)


def test_a_group_that_is_too_short_is_filled_up() -> None:
    vectors = torch.arange(6.0).view(3, 2)
    by_video = grouped(vectors, [2, 0, 2], 3)
    nothing = [-torch.inf, -torch.inf]
    assert by_video.tolist() == [[[2, 3], nothing], [nothing, nothing], [[0, 1], [4, 5]]]
