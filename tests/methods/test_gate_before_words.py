"""A gate per frame in front of WTI: it trains, scores as its formula, and what cannot combine is refused."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from core.errors import BenchError
from core.scoring.scoring import build_index, score_matrix
from methods.composed import ComposedMethod
from methods.parts.interaction.token_wise import token_cosines, token_wise
from tests.methods.small_worlds import TIGHT, random_method, random_noise, random_texts, random_videos

BLIND: dict[str, object] = {"gate_inputs": ("frame", "audio")}
"""The gate sees no text, so that frames are the same for all."""


def gated(**config: object) -> ComposedMethod:
    return random_method(fusion="frame", interaction="wti", **config)


def scores_of(method: ComposedMethod) -> tuple[Tensor, str]:
    texts, videos = random_texts(6), random_videos(5)
    index = build_index(method, videos)
    return score_matrix(method, texts, index, noise=random_noise(6, 5)), index.obstacle


@pytest.mark.parametrize("pooling", ["mean", "contextual"])
@torch.no_grad()
def test_a_gate_without_text_scores_by_algebra_as_by_modules(pooling: str) -> None:
    method = gated(pooling=pooling, **BLIND)
    found, obstacle = scores_of(method)
    assert not obstacle
    expected = method.score(random_texts(6), method.index(random_videos(5)), random_noise(6, 5))
    assert_close(found, expected.to(found), rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_gate_with_text_scores_every_pair_as_its_formula() -> None:
    method = gated()
    found, obstacle = scores_of(method)
    assert "token-wise" in obstacle or "wti" in obstacle
    texts, videos = random_texts(6), random_videos(5)
    assert texts.words is not None
    assert texts.word_mask is not None
    word_net, frame_net = method.interaction.word_weights, method.interaction.frame_weights
    index = method.index(videos)
    for n in range(6):
        for v in range(5):
            words, shown = texts.words[n : n + 1], texts.word_mask[n : n + 1]
            own = index[v : v + 1]
            assert own.audio is not None
            # u_f of this text and this video alone, then WTI of its words with them
            frames = method.fusion.fuse(
                texts.embeds[n : n + 1], own.videos.frames, own.audio, own.videos.mask
            )[0]
            cosines = token_cosines(words, shown, frames, own.videos.mask)
            score = token_wise(cosines, word_net(words, shown), frame_net(frames, own.videos.mask))
            assert_close(found[n, v], score[0, 0].to(found), rtol=0, atol=1e-6)


@pytest.mark.parametrize("config", [{}, BLIND, {"cdcr": "weighted"}, {"pairs": "all-pairs"}])
def test_the_gate_and_the_networks_of_words_and_frames_train(config: dict[str, object]) -> None:
    method = gated(**config)
    method.loss(random_texts(4), random_videos(4), torch.Generator().manual_seed(0)).total.backward()
    for name in ("fusion.gate.weight", "interaction.word_net.0.weight", "interaction.frame_net.0.weight"):
        gradient = method.get_parameter(name).grad
        assert gradient is not None
        assert gradient.isfinite().all()
        assert gradient.any(), name


def test_enrichment_in_front_of_words_matters() -> None:
    texts, noise = random_texts(4), random_noise(4, 5)
    plain, rich = (gated(enrichment=kind, **BLIND) for kind in ("none", "caste"))
    rich.load_state_dict(plain.state_dict(), strict=False)
    a, b = (m.score(texts, m.index(random_videos(5)), noise) for m in (plain, rich))
    assert not torch.allclose(a, b, **TIGHT)


@pytest.mark.parametrize("interaction", ["wti", "ti", "xti"])
@pytest.mark.parametrize("pooling", ["text-conditioned", "sequence-transformer", "top-k", "softmax-frames"])
def test_a_pooling_that_would_have_no_effect_is_refused(interaction: str, pooling: str) -> None:
    with pytest.raises(
        BenchError, match=f"interaction={interaction} reads frames alone, and pooling={pooling}"
    ):
        random_method(interaction=interaction, pooling=pooling)


@pytest.mark.parametrize("interaction", ["wti", "ti", "xti", "multi-grained-words", "em"])
@pytest.mark.parametrize("perturbation", ["stp", "dasp"])
def test_a_perturbation_of_the_sentence_is_refused_where_words_are_compared(
    interaction: str, perturbation: str
) -> None:
    with pytest.raises(BenchError, match=f"perturbation={perturbation} moves one vector of the text"):
        random_method(interaction=interaction, perturbation=perturbation)


def test_cosines_have_the_decorrelation_of_pooled_vectors() -> None:
    """The release's DP: c = z(t)^T z(v) / B of unit vectors, alpha1 sum (c_ii - 1)^2 with alpha2 = 0."""
    method = random_method(interaction="cosine", cdcr="weighted", cdcr_weight=0.5)
    texts, videos = random_texts(4), random_videos(4)
    losses = method.loss(texts, videos, torch.Generator())
    t = torch.nn.functional.normalize(texts.embeds, dim=-1)
    v = torch.nn.functional.normalize(method.index(videos).videos.vector, dim=-1)  # type: ignore[attr-defined]
    z_t, z_v = ((x - x.mean(0)) / x.std(0) for x in (t, v))
    penalty = 0.11 * ((z_t * z_v).sum(0) / 4 - 1).square().sum()
    assert_close(losses.terms["cdcr"], penalty, **TIGHT)
    assert_close(losses.total.detach(), losses.terms["main"] + 0.5 * penalty, **TIGHT)
