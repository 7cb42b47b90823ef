"""Lengths and cosines of mixes against the mixes themselves, built in float64."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from core.scoring.basis import Mixes, centred, gram_factor


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def awkward(kind: str) -> Tensor:
    vectors = random(3, 6, 16)
    if kind == "identical":
        vectors[1] = vectors[1, :1].clone()
    if kind == "zero":
        vectors[1, 2:4] = 0
    if kind == "more vectors than channels":
        vectors = random(3, 24, 5)
    return vectors


KINDS = ["random", "identical", "zero", "more vectors than channels"]


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_and_cosines_are_those_of_the_mixes(kind: str) -> None:
    vectors = awkward(kind)
    coefficients, texts = random(3, vectors.shape[1], 4, seed=1), random(4, vectors.shape[2], seed=2)
    mixes, built = Mixes.of(vectors), torch.einsum("vcn,vcd->vnd", coefficients, vectors)
    assert_close(mixes.lengths(coefficients), built.norm(dim=-1), rtol=1e-12, atol=0)
    directions = texts / texts.norm(dim=-1, keepdim=True)
    expected = torch.cosine_similarity(built, texts[None], dim=-1)
    assert_close(mixes.cosines(directions, coefficients), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_a_factor_is_one_of_the_gram_matrix(kind: str) -> None:
    vectors = awkward(kind)
    factor = gram_factor(vectors)
    assert_close(factor.mT @ factor, vectors @ vectors.mT, rtol=0, atol=1e-13 * 100)


def test_a_mix_of_nothing_has_cosine_zero() -> None:
    mixes = Mixes.of(torch.zeros(2, 3, 5))
    assert (mixes.cosines(torch.randn(4, 5), torch.randn(2, 3, 4)) == 0).all()


@pytest.mark.parametrize("offset", [0.0, 10.0, 1000.0])
def test_a_variance_keeps_its_digits_under_a_common_offset(offset: float) -> None:
    vectors, coefficients = random(2, 6, 64), random(2, 6, 5, seed=1).softmax(1)
    vectors = (vectors + offset).float()
    expected = torch.einsum("vcn,vcd->vnd", coefficients, vectors.double()).var(-1, correction=0)
    found = Mixes.of(centred(vectors)).lengths(coefficients.float()).square() / 64
    assert_close(found.double(), expected, rtol=2e-6, atol=0)


def test_a_short_vector_keeps_its_digits_beside_long_ones() -> None:
    # Two long vectors of one direction make the matrix singular; the mix is almost all of the short one.
    vectors = random(1, 3, 16)
    vectors[:, 0] *= 1e6
    vectors[:, 1] = vectors[:, 0]
    coefficients = torch.tensor([1e-12, 1e-12, 1.0], dtype=torch.float64)[None, :, None]
    expected = torch.einsum("vcn,vcd->vnd", coefficients, vectors).norm(dim=-1)
    assert_close(Mixes.of(vectors).lengths(coefficients), expected, rtol=1e-12, atol=0)
