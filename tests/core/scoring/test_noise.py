"""Scoring noise is keyed by caption and video, and follows the law that it names."""

import pytest
import torch
from scipy import stats

from core.batch import stable_keys
from core.scoring.noise import KeyedNoise

TEXTS = stable_keys(["a red thing", "a blue thing", "a green thing slides"])
VIDEOS = stable_keys([f"clip{i}" for i in range(5)])


@pytest.mark.parametrize("mode", ["per-text", "fresh"])
def test_noise_of_a_pair_does_not_depend_on_what_else_is_drawn(mode: str) -> None:
    noise = KeyedNoise(7, mode)
    whole = noise.draw(TEXTS, VIDEOS, 4, 6, "uniform").expand(3, 5, 4, 6)
    order = torch.tensor([2, 0])
    part = noise.draw(TEXTS[order], VIDEOS[3:4], 4, 6, "uniform").expand(2, 1, 4, 6)
    assert torch.equal(part[:, 0], whole[order, 3])


def test_per_text_noise_is_shared_by_videos_and_fresh_noise_is_not() -> None:
    assert KeyedNoise(0, "per-text").draw(TEXTS, VIDEOS, 2, 3, "normal").shape == (3, 1, 2, 3)
    fresh = KeyedNoise(0, "fresh").draw(TEXTS, VIDEOS, 2, 3, "normal").flatten(0, 1).flatten(1)
    assert torch.unique(fresh, dim=0).shape[0] == 15


def test_another_seed_is_another_draw() -> None:
    first, second = (KeyedNoise(seed, "per-text").draw(TEXTS, VIDEOS, 2, 3, "uniform") for seed in (0, 1))
    assert not torch.isclose(first, second).any()


@pytest.mark.parametrize("mode", ["per-text", "fresh"])
@pytest.mark.parametrize(("prior", "law"), [("uniform", stats.uniform), ("normal", stats.norm)])
def test_noise_follows_its_prior(mode: str, prior: str, law: stats.rv_continuous) -> None:
    texts = stable_keys([f"caption {i}" for i in range(40)])
    draw = KeyedNoise(3, mode).draw(texts, VIDEOS, 20, 32, prior).flatten()
    assert stats.kstest(draw.numpy(), law.cdf).pvalue > 1e-3


def test_neighbouring_keys_give_uncorrelated_noise() -> None:
    keys = torch.arange(200)
    draw = KeyedNoise(0, "per-text").draw(keys, VIDEOS, 1, 512, "normal")[:, 0, 0]
    correlation = torch.corrcoef(draw) - torch.eye(200)
    assert correlation.abs().max() < 6 / 512**0.5
