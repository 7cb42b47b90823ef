"""PMRL's objective: the vectors of an item share one leading direction, different items different ones.

Liu et al., "Principled Multimodal Representation Learning", TPAMI 2026 (arXiv 2507.17343). For M_i `(D, k)`
with unit columns (text, picture, sound, ...), singular values sigma and leading left vector u_i,

    L = CE(sigma / tau1, class 0) + CE(U U^T / tau2, diagonal)

The sign of u_i is arbitrary in the release (LAPACK's), and U U^T depends on it; here u_i points along the sum
of its columns. Both come from the k x k Gram matrix: sigma = sqrt(lambda), u = unit(M q_1).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from methods.parts.vectors import unit


class Principal(NamedTuple):
    """The decomposition of a batch of items."""

    values: Tensor
    """`(B, k)` singular values, largest first."""
    leading: Tensor
    """`(B, D)` leading left vector, along the sum of the item's vectors."""


def principal(vectors: Tensor) -> Principal:
    """Singular values and leading vector of items `(B, k, D)`."""
    # M^T M = Q diag(sigma^2) Q^T
    squares, directions = torch.linalg.eigh(vectors @ vectors.transpose(1, 2))  # ascending
    values = squares.flip(-1).clamp(min=0).sqrt()
    # u = unit(M q_1)
    leading = unit((directions[..., -1:] * vectors).sum(1))
    # an eigenvector has no sign of its own: along the sum of the vectors it is defined
    along = (leading * vectors.sum(1)).sum(-1, keepdim=True)
    return Principal(values, torch.where(along < 0, -leading, leading))


def leading_loss(values: Tensor, temperature: float) -> Tensor:
    """The first term: the leading singular value `(B, k)` stands out."""
    # -log softmax(sigma / tau1)_1
    return functional.cross_entropy(values / temperature, torch.zeros_like(values[:, 0], dtype=torch.int64))


def separation_loss(leading: Tensor, temperature: float) -> Tensor:
    """The second term: leading vectors `(B, D)` of different items differ; one direction."""
    # -log softmax(U U^T / tau2)_ii
    target = torch.arange(len(leading), device=leading.device)
    return functional.cross_entropy(leading @ leading.T / temperature, target)
