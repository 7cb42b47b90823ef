"""EMCL: text and video vectors are rebuilt from a few bases that expectation maximisation finds.

Jin et al., "Expectation-Maximization Contrastive Learning for Compact Video-and-Language Representations",
NeurIPS 2022 (arXiv 2211.11427), section 3. For vectors X `(R, D)` and bases mu `(R, K)`, `stages` times

    z  = softmax_k(X^T mu / lamd),  z = z / (1e-6 + sum_d z)        (D, K)
    mu = X z,  its columns divided by (1e-6 + norm)

then `Y = beta mu z^T + X`; only the last summand has a gradient. All rows start from one row of bases.

The release runs EM over a tile of 32 texts and their 1,024 pooled videos, so the score of a pair depends on
what else is in its tile; `pair_cosines` gives EM the pair's two vectors alone. Bases that start alike stay
alike in real numbers, and the release starts them at +1 or -1: K bases are then two with a multiplicity
each. `distinct_bases` makes use of that, and keeps rounding from telling equal bases apart.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-6


class EmSettings(NamedTuple):
    """The constants of the iteration."""

    stages: int
    """Iterations; 9 in the release."""
    lamd: float
    """Temperature of the responsibilities; 1."""
    beta: float
    """Weight of what the bases rebuild; 3."""


class Bases(NamedTuple):
    """Distinct bases with how often each occurs."""

    values: Tensor
    """`(K',)`."""
    counts: Tensor
    """`(K',)`, positive."""
    places: Tensor
    """`(K,)` int64: which of them each base is."""


def distinct_bases(bases: Tensor) -> Bases:
    """The different values of a row of bases `(1, K)`."""
    values, places, counts = bases.flatten().unique(return_inverse=True, return_counts=True)
    return Bases(values, counts.to(bases.dtype), places)


@torch.no_grad()
def em_bases(x: Tensor, bases: Bases, settings: EmSettings) -> tuple[Tensor, Tensor]:
    """mu `(..., R, K')` and z^T `(..., K', D)` of X `(..., R, D)`, for the distinct bases.

    m equal bases weigh `m exp(x mu)` together: `log m` is added, and each has 1/m of the weight. The bases
    stand before the D entries, so that sums and exponentials run along D: a softmax over rows of two numbers
    takes four times as long.
    """
    mu = bases.values.expand(*x.shape[:-1], -1)
    counts = bases.counts[:, None]
    share = counts.log()
    for _ in range(settings.stages):
        # z^T = softmax_k(mu^T X / lamd), the weight of equal bases shared among them
        z = (mu.transpose(-1, -2) @ x / settings.lamd + share).softmax(-2) / counts
        # each base spreads over the D entries with a sum of 1
        z = z / (EPSILON + z.sum(-1, keepdim=True))
        # mu = X z
        mu = x @ z.transpose(-1, -2)
        # columns of length 1
        mu = mu / (EPSILON + torch.linalg.vector_norm(mu, dim=-2, keepdim=True))
    return mu, z


def reconstructed(x: Tensor, bases: Bases, settings: EmSettings) -> tuple[Tensor, Tensor]:
    """Y `(..., R, D)` of X, and mu `(..., R, K')`."""
    mu, z = em_bases(x, bases, settings)
    # Y = beta mu z^T + X
    return settings.beta * ((mu * bases.counts) @ z) + x, mu


def moved_bases(bases: Bases, mu: Tensor, momentum: float) -> Tensor:
    """The row of bases `(1, K)` after a training step that ended with mu `(R, K')`."""
    # the release averages mu over the rows before it moves the bases
    moved = momentum * bases.values + (1 - momentum) * mu.mean(-2)
    return moved[bases.places][None]


def pair_cosines(x: Tensor, bases: Bases, settings: EmSettings) -> Tensor:
    """Cosines `(...)` of the two rebuilt vectors of X `(..., 2, D)`, each pair with an EM of its own."""
    y, _ = reconstructed(x, bases, settings)
    return functional.cosine_similarity(y[..., 0, :], y[..., 1, :], dim=-1)
