"""Exact scores of interactions against their formulas, in float64 and float32, under hidden tokens."""

import pytest
import torch
from torch import Tensor

from methods.parts.em import EmSettings, distinct_bases, moved_bases, pair_cosines, reconstructed
from methods.parts.interaction.concepts import Concepts
from methods.parts.interaction.token_wise import (
    Tokens,
    softmax_weights,
    token_cosines,
    token_wise,
    token_wise_scores,
)
from methods.parts.interaction.volume import (
    GUARD,
    areas,
    exact_heights,
    exact_volumes,
    heights,
    spans,
    triangle_areas,
    volumes,
)
from methods.parts.interaction.words import GrainedTexts, GrainedVideos, MultiGrainedWords
from methods.parts.softmax_frames import softmax_pooled
from methods.parts.vectors import unit

PRECISIONS = [(torch.float64, 1e-12), (torch.float32, 2e-6)]


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def lengths(count: int, most: int, least: int = 1) -> Tensor:
    """Masks `(count, most)`: every number of real tokens occurs."""
    return torch.arange(most) < (least + torch.arange(count) % (most - least + 1))[:, None]


@pytest.mark.parametrize(("dtype", "allowed"), PRECISIONS)
@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["any cosine", "all cosines negative"])
def test_token_wise_scores_need_no_hidden_tokens(dtype: torch.dtype, allowed: float, sign: float) -> None:
    words, frames = noise(13, 7, 16, dtype=dtype), noise(11, 5, 16, seed=1, dtype=dtype)
    if sign < 0:  # the zero of a hidden token wins every maximum
        words, frames = words.abs(), -frames.abs()
    word_mask, frame_mask = lengths(13, 7), lengths(11, 5)
    weights = [softmax_weights(noise(*m.shape, seed=2, dtype=dtype), m) for m in (word_mask, frame_mask)]
    cosines = token_cosines(words, word_mask, frames, frame_mask)
    expected = token_wise(cosines, *weights)
    found = token_wise_scores(
        Tokens(unit(words), weights[0], word_mask), Tokens(unit(frames), weights[1], frame_mask)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=allowed)


def test_token_wise_scores_leave_hidden_tokens_out_where_they_are_no_candidates() -> None:
    words, frames = -noise(6, 4, 8).abs(), noise(5, 3, 8, seed=1).abs()
    word_mask, frame_mask = lengths(6, 4), lengths(5, 3)
    texts = Tokens(unit(words), softmax_weights(noise(6, 4, seed=2), word_mask), word_mask)
    videos = Tokens(unit(frames), softmax_weights(noise(5, 3, seed=3), frame_mask), frame_mask)
    found = token_wise_scores(texts, videos, "out")
    for n in range(6):
        for v in range(5):
            real = unit(words[n, word_mask[n]]) @ unit(frames[v, frame_mask[v]]).T
            by_words = (texts.weights[n, word_mask[n]] * real.amax(1)).sum()
            by_frames = (videos.weights[v, frame_mask[v]] * real.amax(0)).sum()
            torch.testing.assert_close(found[n, v], (by_words + by_frames) / 2, rtol=0, atol=1e-12)


def test_a_mask_with_gaps_is_read_as_it_stands() -> None:
    words, frames = noise(3, 4, 8), noise(2, 3, 8, seed=1)
    word_mask = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]], dtype=torch.bool)
    frame_mask = torch.tensor([[0, 1, 0], [1, 0, 1]], dtype=torch.bool)
    weights = [softmax_weights(noise(*m.shape, seed=2), m) for m in (word_mask, frame_mask)]
    expected = token_wise(token_cosines(words, word_mask, frames, frame_mask), *weights)
    found = token_wise_scores(
        Tokens(unit(words), weights[0], word_mask), Tokens(unit(frames), weights[1], frame_mask)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "allowed"), PRECISIONS)
@pytest.mark.parametrize("masked", [False, True])
def test_folded_words_score_as_the_four_terms(dtype: torch.dtype, allowed: float, masked: bool) -> None:
    part = MultiGrainedWords(16, 7, 5).to(dtype)
    with torch.no_grad():
        for seed, parameter in enumerate(part.parameters()):
            parameter.add_(noise(*parameter.shape, seed=seed, dtype=dtype), alpha=0.2)
    word_mask, frame_mask = (lengths(9, 7), lengths(6, 5)) if masked else (lengths(9, 7, 7), lengths(6, 5, 5))
    texts = GrainedTexts(
        unit(noise(9, 16, dtype=dtype)), unit(noise(9, 7, 16, seed=1, dtype=dtype)), word_mask
    )
    videos = GrainedVideos(
        unit(noise(6, 16, seed=2, dtype=dtype)), unit(noise(6, 5, 16, seed=3, dtype=dtype)), frame_mask
    )
    found = part.scores(part.folded(texts), videos)
    # the fixed temperature of .01 magnifies the rounding of a cosine by 100
    torch.testing.assert_close(found, part.mean_of_terms(texts, videos), rtol=0, atol=30 * allowed)


def test_masked_words_and_frames_change_nothing() -> None:
    part = MultiGrainedWords(8, 6, 4).double()
    word_mask, frame_mask = lengths(5, 6), lengths(3, 4)
    words, frames = unit(noise(5, 6, 8)), unit(noise(3, 4, 8, seed=1))
    sentence, video = unit(noise(5, 8, seed=2)), unit(noise(3, 8, seed=3))

    def scores(words: Tensor, frames: Tensor) -> Tensor:
        texts = GrainedTexts(sentence, words, word_mask)
        return part.mean_of_terms(texts, GrainedVideos(video, frames, frame_mask))

    others = torch.where(word_mask[..., None], words, unit(noise(5, 6, 8, seed=4)))
    moved = torch.where(frame_mask[..., None], frames, unit(noise(3, 4, 8, seed=5)))
    torch.testing.assert_close(scores(others, moved), scores(words, frames), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "allowed"), PRECISIONS)
def test_concepts_score_alike_with_w1_applied_to_tokens(dtype: torch.dtype, allowed: float) -> None:
    torch.manual_seed(0)
    part = Concepts(16, 4).to(dtype)
    texts, tokens, mask = noise(9, 16, dtype=dtype), noise(6, 5, 16, seed=1, dtype=dtype), lengths(6, 5)
    expected = part.weighed(texts[:, None], softmax_pooled(texts, tokens, mask, 3.0))
    found = part.scores(texts, part.basis(tokens, mask), 3.0)
    torch.testing.assert_close(found, expected, rtol=0, atol=allowed)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_volumes_and_heights_need_no_determinants(count: int) -> None:
    texts, vectors = unit(noise(9, 12)), unit(noise(6, count, 12, seed=1))
    present = torch.ones(6, count, dtype=torch.bool)
    present[1::2, count - 1] = count == 1  # every second video has lost its last vector
    found = exact_volumes(texts, spans(vectors, present))
    torch.testing.assert_close(found, volumes(texts, vectors, present), rtol=0, atol=1e-11)
    found = exact_heights(texts, spans(vectors, present).basis)
    torch.testing.assert_close(found, heights(texts, vectors, present), rtol=0, atol=1e-11)


def test_a_missing_vector_leaves_the_volume_of_the_others() -> None:
    texts, vectors = unit(noise(4, 12)), unit(noise(3, 2, 12, seed=1))
    present = torch.tensor([[True, False]] * 3)
    expected = (1 - (texts @ vectors[:, 0].T).square() + GUARD).sqrt()
    torch.testing.assert_close(volumes(texts, vectors, present), expected)


def test_a_volume_sees_neither_order_nor_sign_and_its_gradient_is_finite_at_zero() -> None:
    texts, vectors = unit(noise(4, 12)), unit(noise(3, 2, 12, seed=1))
    volume = volumes(texts, vectors)
    torch.testing.assert_close(volumes(texts, vectors.flip(1)), volume)
    torch.testing.assert_close(volumes(-texts, vectors), volume)
    collinear = vectors[:, :1].expand(-1, 2, -1).clone().requires_grad_()
    lost = torch.zeros(3, 2, 12, dtype=torch.float64).requires_grad_()
    (volumes(texts, collinear).sum() + volumes(texts, lost).sum()).backward()
    assert collinear.grad is not None
    assert lost.grad is not None
    assert collinear.grad.isfinite().all()
    assert lost.grad.isfinite().all()


def test_an_area_is_half_the_determinant_of_the_sides() -> None:
    texts, pictures, sounds = noise(4, 12), noise(3, 12, seed=1), noise(3, 12, seed=2)
    found = triangle_areas(texts, pictures, sounds)
    for n in range(4):
        for v in range(3):
            sides = torch.stack([texts[n] - pictures[v], texts[n] - sounds[v]])
            torch.testing.assert_close(found[n, v], torch.linalg.det(sides @ sides.T) / 2)
    alone = areas(unit(texts), unit(torch.stack([pictures, sounds], 1)), torch.tensor([[True, False]] * 3))
    torch.testing.assert_close(alone, 1 - unit(texts) @ unit(pictures).T)


def test_equal_bases_count_as_often_as_they_occur() -> None:
    settings = EmSettings(5, 1.0, 3.0)
    bases = torch.tensor([[1.0, -1.0, 1.0, 1.0, -1.0]], dtype=torch.float64)
    x = noise(6, 16)
    mu = bases.expand(6, -1)
    for _ in range(5):  # every base by itself, as in the paper
        z = (x.T @ mu).softmax(1)
        z = z / (1e-6 + z.sum(0))
        mu = x @ z
        mu = mu / (1e-6 + mu.norm(dim=0))
    found, moved = reconstructed(x, distinct_bases(bases), settings)
    torch.testing.assert_close(found, 3 * mu @ z.T + x, rtol=0, atol=1e-10)
    expected = 0.9 * bases + 0.1 * mu.mean(0)
    torch.testing.assert_close(moved_bases(distinct_bases(bases), moved, 0.9), expected, rtol=0, atol=1e-10)


def test_a_pair_is_rebuilt_by_itself() -> None:
    settings, bases = EmSettings(5, 1.0, 3.0), distinct_bases(torch.tensor([[1.0, -1.0, 1.0]]).double())
    pairs = noise(3, 4, 2, 16)
    together = pair_cosines(pairs, bases, settings)
    alone = [[pair_cosines(pairs[n, v], bases, settings) for v in range(4)] for n in range(3)]
    torch.testing.assert_close(together, torch.tensor(alone).double(), rtol=0, atol=1e-10)
