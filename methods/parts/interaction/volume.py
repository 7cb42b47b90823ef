"""Measures of the simplex that a text spans with a video's vectors: volume, height, area.

Cicchetti et al., "Gramian Multimodal Representation Learning and Alignment" (GRAM), ICLR 2025 (arXiv
2412.11959), equation 3, and "A TRIANGLE Enables Multimodal Alignment Beyond Cosine Similarity", NeurIPS 2025.
With t the text and m_1 .. m_k the video's vectors (picture, sound, speech, ...), G their Gram matrix with t,
and A that of the m alone:

    volume = sqrt(det G) = sqrt(det A) sqrt(t.t - t E^T E t)         A = L L^T, E = L^-1 m, orthonormal rows
    height = sqrt(det G / det A)                                     ours: the factor without a text removed
    area   = (|t - v|^2 |t - a|^2 - ((t - v).(t - a))^2) / 2         as released: 2 (area)^2, no root

Small is similar: scores are the negative measure. A volume does not see the sign of its vectors, and holds a
factor without any text, sqrt(det A): a video whose picture and sound are nearly collinear is near every text.
The release takes sqrt|det G|, whose gradient is NaN at 0; here it is sqrt(max(det G, 0) + 1e-12), at most
1e-6 off.
A vector that is missing leaves a unit vector of its own in G (identity padding): the measure of the others.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.batch import Rows

GUARD = 1e-12
"""Under the root, so that its gradient is finite."""
COLLINEAR = 1e-6
"""Below this length a vector's part outside the span of those before it counts as none."""


def gram_matrices(texts: Tensor, vectors: Tensor, present: Tensor | None = None) -> Tensor:
    """G `(N, V, 1 + k, 1 + k)` of texts `(N, D)` and vectors `(V, k, D)`; `present` `(V, k)` bool."""
    if present is not None:
        vectors = vectors * present[..., None]
    own = vectors @ vectors.transpose(1, 2)  # A, (V, k, k)
    if present is not None:
        # a missing vector is a unit vector of its own: it multiplies the determinant by one
        own = own + torch.diag_embed((~present).to(own.dtype))
    across = torch.einsum("nd,vkd->nvk", texts, vectors)
    squares = texts.square().sum(-1)[:, None].expand(across.shape[:2])
    # G = [[t.t, t.m], [m.t, A]]
    top = torch.cat([squares[..., None], across], dim=-1)[:, :, None]  # (N, V, 1, 1 + k)
    rest = torch.cat([across[..., None], own.expand(len(texts), -1, -1, -1)], dim=-1)
    return torch.cat([top, rest], dim=2)


def guarded_root(squares: Tensor) -> Tensor:
    """`sqrt(max(x, 0) + 1e-12)`, whose gradient is finite everywhere."""
    return torch.sqrt(squares.clamp(min=0) + GUARD)


def volumes(texts: Tensor, vectors: Tensor, present: Tensor | None = None) -> Tensor:
    """Volume `(N, V)` of each text `(N, D)` with the vectors `(V, k, D)` of each video."""
    # sqrt(det G)
    determinants = torch.linalg.det(gram_matrices(texts, vectors, present))
    return guarded_root(determinants)


def heights(texts: Tensor, vectors: Tensor, present: Tensor | None = None) -> Tensor:
    """Height `(N, V)` of each text over the span of each video's vectors."""
    gram = gram_matrices(texts, vectors, present)
    own = torch.linalg.det(gram[:, :, 1:, 1:])
    # sqrt(det G / det A)
    ratio = torch.linalg.det(gram) / own.clamp(min=COLLINEAR**2)
    return guarded_root(ratio)


def triangle_areas(texts: Tensor, pictures: Tensor, sounds: Tensor) -> Tensor:
    """Area `(N, V)` of the triangles text, picture, sound: `(N, D)`, `(V, D)`, `(V, D)`, of any length."""
    # every product that the three sides need, t.v and t.a for all pairs
    p, q = texts @ pictures.T, texts @ sounds.T
    tt = texts.square().sum(-1)[:, None]
    vv, aa, c = pictures.square().sum(-1), sounds.square().sum(-1), (pictures * sounds).sum(-1)
    u, w = tt + vv - 2 * p, tt + aa - 2 * q  # |t - v|^2, |t - a|^2
    # (|t - v|^2 |t - a|^2 - ((t - v) . (t - a))^2) / 2
    return (u * w - (tt - p - q + c).square()) / 2


def areas(texts: Tensor, vectors: Tensor, present: Tensor | None = None) -> Tensor:
    """`triangle_areas` of picture and sound `(V, 2, D)`.

    Without sound the Gram matrix of t - v and t - a has a row of the identity: `|t - v|^2 / 2`.
    """
    found = triangle_areas(texts, vectors[:, 0], vectors[:, 1])
    if present is None:
        return found
    squares = texts.square().sum(-1)[:, None] + vectors[:, 0].square().sum(-1)
    # |t - v|^2 / 2
    alone = squares / 2 - texts @ vectors[:, 0].T
    return torch.where(present[:, 1], found, alone)


@dataclass(frozen=True)
class Spans(Rows):
    """What the exact measures need of each video."""

    basis: Tensor
    """E `(V, k, D)`: orthonormal, zero rows for missing and collinear vectors."""
    own: Tensor
    """`(V,)` sqrt(det A), 0 for a video with collinear vectors."""


def spans(vectors: Tensor, present: Tensor | None = None) -> Spans:
    """The basis of each video's vectors `(V, k, D)`, by Gram-Schmidt in float64."""
    exact = vectors.double()
    rows: list[Tensor] = []
    own = exact.new_ones(len(exact))
    for number in range(exact.shape[1]):
        rest = exact[:, number]
        for row in (*rows, *rows):  # twice: the second pass removes what rounding left of the first
            rest = rest - (rest * row).sum(-1, keepdim=True) * row
        length = torch.linalg.vector_norm(rest, dim=-1)
        here = torch.ones_like(length, dtype=torch.bool) if present is None else present[:, number]
        outside = here & (length >= COLLINEAR)
        rows.append(torch.where(outside[:, None], rest / length.clamp(min=COLLINEAR)[:, None], 0.0))
        # sqrt(det A) is the product of what each vector has outside the span of those before it
        own = own * torch.where(here, torch.where(outside, length, 0.0), 1.0)
    return Spans(torch.stack(rows, dim=1).to(vectors.dtype), own.to(vectors.dtype))


def squared_heights(texts: Tensor, basis: Tensor) -> Tensor:
    """`t.t - t E^T E t` `(N, V)` by k products: no determinant, no `(N, V, D)`."""
    squares = texts.square().sum(-1)[:, None]
    for number in range(basis.shape[1]):
        inside = texts @ basis[:, number].T
        # t.t - sum_i (t . e_i)^2, e_i orthonormal
        squares = torch.addcmul(squares, inside, inside, value=-1)
    return squares.clamp_(min=0)


def exact_heights(texts: Tensor, basis: Tensor) -> Tensor:
    """sqrt(t.t - t E^T E t) `(N, V)`; over those vectors of a video that are not collinear."""
    return squared_heights(texts, basis).sqrt_()


def exact_volumes(texts: Tensor, videos: Spans) -> Tensor:
    """Volume `(N, V)`: own volume of the video times the height of the text."""
    # det G = det A times the squared height, with the guard that the modules have under their root
    return squared_heights(texts, videos.basis).mul_(videos.own.square()).add_(GUARD).sqrt_()
