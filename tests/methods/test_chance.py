"""On pure noise every leak-free score is at chance; the released scores of T-MASS and GAID are not."""

import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from core.batch import Texts, Videos, stable_keys
from core.method import Dimensions, Method
from core.registry import registered_methods
from core.scoring.noise import KeyedNoise

COUNT, FRAMES, WIDTH, STATES, PATCHES, WORDS = 200, 12, 64, 24, 4, 3


def noise_world(seed: int) -> tuple[Texts, Videos]:
    """Texts, frames, patches, sound and video-side captions that have nothing to do with each other."""
    torch.manual_seed(seed)
    texts = Texts(
        torch.randn(COUNT, WIDTH),
        stable_keys([f"text {n}" for n in range(COUNT)]),
        torch.randn(COUNT, WORDS, WIDTH),
        torch.arange(WORDS) < torch.randint(1, WORDS + 1, (COUNT, 1)),
    )
    videos = Videos(
        torch.randn(COUNT, FRAMES, WIDTH),
        torch.ones(COUNT, FRAMES, dtype=torch.bool),
        stable_keys([f"video {v}" for v in range(COUNT)]),
        torch.randn(COUNT, STATES, WIDTH),
        patches=torch.randn(COUNT, FRAMES, PATCHES, WIDTH),
        captions=torch.randn(COUNT, 2, WORDS, WIDTH),
        caption_mask=torch.ones(COUNT, 2, WORDS, dtype=torch.bool),
        speech=torch.randn(COUNT, WORDS, WIDTH),
    )
    return texts, videos


def untrained(name: str) -> Method:
    cls = registered_methods()[name]
    return cls(cls.Config(), Dimensions(WIDTH, FRAMES, WIDTH, words=WORDS)).eval()


def hits(scores: Tensor, k: int) -> int:
    """Queries whose own video is among the k best."""
    own = scores.diagonal()[:, None]
    return int(((scores > own).sum(1) < k).sum())


@pytest.mark.parametrize("name", sorted(registered_methods()))
@torch.no_grad()
def test_leak_free_scores_of_noise_are_at_chance(name: str) -> None:
    texts, videos = noise_world(0)
    method = untrained(name)
    scores = torch.cat(
        [
            method.score(texts[rows], method.index(videos), KeyedNoise(0, "per-text"))
            for rows in torch.arange(COUNT).split(50)
        ]
    )
    for direction in (scores, scores.T):
        for k in (1, 5, 10):
            low, high = binom.interval(0.999, COUNT, k / COUNT)
            assert low <= hits(direction, k) <= high


@pytest.mark.parametrize("name", ["tmass", "gaid"])
@torch.no_grad()
def test_released_scores_of_noise_are_far_above_chance(name: str) -> None:
    texts, videos = noise_world(0)
    method = untrained(name)
    scores = method.released.score(texts, method.index(videos), torch.arange(COUNT), KeyedNoise(0, "fresh"))
    high = binom.interval(0.999, COUNT, 1 / COUNT)[1]
    assert hits(scores, 1) > 3 * high
