"""Losses against torch's cross entropy and the formulas of the papers, and what training differentiates."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from methods.avigate import Avigate
from methods.gaid import Gaid
from methods.parts.objective.infonce import pair_weights, symmetric_infonce, weighted_infonce
from methods.parts.objective.margin import adaptive_margin
from methods.tmass import TMass
from tests.methods.small_worlds import TIGHT, random_method, random_texts, random_videos


def logits(seed: int = 0) -> Tensor:
    return 5 * torch.randn(6, 6, generator=torch.Generator().manual_seed(seed)).double()


def test_infonce_is_the_mean_of_both_cross_entropies() -> None:
    s, target = logits(), torch.arange(6)
    assert_close(symmetric_infonce(s), (cross_entropy(s, target) + cross_entropy(s.T, target)) / 2, **TIGHT)


def test_uniform_weights_are_plain_infonce() -> None:
    s = logits()
    assert_close(weighted_infonce(s, pair_weights(s, "uniform")), symmetric_infonce(s), **TIGHT)


def test_weighted_infonce_weighs_each_pair() -> None:
    s, weights = logits(), torch.rand(6).double()
    expected = sum(
        w
        * (cross_entropy(s[i : i + 1], torch.tensor([i])) + cross_entropy(s[:, i][None], torch.tensor([i])))
        / 2
        for i, w in enumerate(weights)
    )
    assert_close(weighted_infonce(s, weights), expected, **TIGHT)


def test_released_weights_can_turn_negative_and_the_clamped_ones_cannot() -> None:
    cosines = torch.diag(torch.tensor([0.5, -0.3, 0.2]))
    assert_close(pair_weights(cosines, "positive-cosine-released"), torch.tensor([1.25, -0.75, 0.5]))
    assert_close(pair_weights(cosines, "positive-cosine"), torch.tensor([5 / 7, 0, 2 / 7]))
    assert_close(pair_weights(-cosines.abs(), "positive-cosine"), torch.full((3,), 1 / 3))


def test_the_margin_is_clamped_and_spares_the_positives() -> None:
    texts, videos = torch.randn(5, 8).double(), torch.randn(5, 8).double()
    margin = adaptive_margin(texts, videos, 0.2, 0.1)
    for i in range(5):
        for j in range(5):
            mean = (
                torch.cosine_similarity(texts[i], texts[j], 0)
                + torch.cosine_similarity(videos[i], videos[j], 0)
            ) / 2
            expected = min(0.2 * (1 - float(mean)), 0.1) if i != j else 0.0
            assert float(margin[i, j]) == pytest.approx(expected, abs=1e-12)


def test_avigates_margin_is_added_to_the_scaled_logits() -> None:
    method, texts, videos = random_method(method=Avigate), random_texts(4), random_videos(4)
    cosines = method.training_similarities(texts.embeds[:, None], texts, method.index(videos)).main
    visual = torch.stack(
        [
            (frames / frames.norm(dim=-1, keepdim=True))[real].mean(0)
            for frames, real in zip(
                videos.frames + method.fusion.frame_positions.weight[:5], videos.frame_mask, strict=True
            )
        ]
    )
    s = method.logit_scale.exp() * (cosines + adaptive_margin(texts.embeds, visual, 0.2, 0.1))
    loss = method.loss(texts, videos, torch.Generator()).total
    assert_close(loss, symmetric_infonce(s), **TIGHT)


def test_the_total_is_the_main_term_plus_the_weighted_support() -> None:
    method = random_method(method=TMass, support_weight=0.3)
    losses = method.loss(random_texts(4), random_videos(4), torch.Generator().manual_seed(0))
    assert_close(losses.total, losses.terms["main"] + 0.3 * losses.terms["support"], **TIGHT)


@pytest.mark.parametrize("config", [{"support_weight": 0.0}, {"perturbation": "none"}])
def test_without_weight_or_perturbation_there_is_no_support_term(config: dict[str, object]) -> None:
    losses = random_method(method=TMass, **config).loss(random_texts(4), random_videos(4), torch.Generator())
    assert set(losses.terms) == {"main"}


def test_training_noise_follows_the_generator_and_nothing_else() -> None:
    method, texts, videos = random_method(method=Gaid), random_texts(4), random_videos(4)
    first = method.loss(texts, videos, torch.Generator().manual_seed(1)).total
    torch.manual_seed(99)
    assert torch.equal(method.loss(texts, videos, torch.Generator().manual_seed(1)).total, first)
    assert not torch.equal(method.loss(texts, videos, torch.Generator().manual_seed(2)).total, first)


def test_training_noise_has_the_configured_law() -> None:
    uniform, normal = random_method(method=TMass), random_method(method=TMass, prior="normal", prior_std=0.1)
    texts, generator = torch.zeros(4000, 8), torch.Generator().manual_seed(0)
    draws = uniform.perturbation.draw(texts, generator)
    assert draws.shape == (4000, 1, 8)
    assert 0 <= float(draws.min()) < float(draws.max()) < 1
    assert float(normal.perturbation.draw(texts, generator).std()) == pytest.approx(0.1, rel=0.02)


def test_gaids_scale_is_constant_unless_asked() -> None:
    assert not random_method(method=Gaid).logit_scale.requires_grad
    assert random_method(method=Gaid, logit_scale_trainable=True).logit_scale.requires_grad
    assert random_method(method=TMass).logit_scale.requires_grad


def test_every_weight_learns() -> None:
    for method in (Gaid, TMass, Avigate):
        built = random_method(method=method, logit_scale_trainable=True)
        built.loss(random_texts(4), random_videos(4), torch.Generator().manual_seed(0)).total.backward()
        idle = [name for name, p in built.named_parameters() if p.grad is None or not p.grad.any()]
        # Softmax ignores the bias of the keys.
        assert [name for name in idle if not name.endswith("k_proj.bias")] == []
