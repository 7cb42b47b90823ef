"""Perturbed texts against mixes: the radius has the full width for every pair, the pooled vector need not.

With `S` the radius of a pair, DASP's text is `t + alpha S`, one product of which with the basis gives its
cosine. A random point `t + x S` of T-MASS needs `x . (S p)`, `2 x . (t S)` and `x^2 . S^2`: products of
matrices where the videos share the noise `x`, and the point itself where they do not.
"""

import torch
from torch import Tensor

from core.scoring.basis import Mixes
from methods.parts.perturbation import Perturbation, stochastic_text
from methods.parts.vectors import safe_norm


def radii(perturbation: Perturbation, cosines: Tensor) -> Tensor:
    """Radius `(V, N, D)` from the cosines of texts and frames `(V, F, N)`, 0 for padding."""
    weight = perturbation.radius.weight.T.expand(len(cosines), -1, -1)
    return torch.baddbmm(perturbation.radius.bias, cosines.mT, weight).exp_()


def shifted_cosines(
    mixes: Mixes, coefficients: Tensor, radius: Tensor, texts: Tensor, alpha: Tensor
) -> Tensor:
    """Cosines `(V, N)` of `t + alpha S` with mixes; texts `(N, D)`, radius `(V, N, D)`, overwritten."""
    shifted = radius.mul_(alpha).add_(texts)  # the radius is not needed again
    products = torch.bmm(mixes.vectors, shifted.mT).mul_(coefficients).sum(1)
    return products / (mixes.lengths(coefficients) * safe_norm(shifted)[..., 0])


def mix_directions(mixes: Mixes, coefficients: Tensor) -> Tensor:
    """Unit vectors `(V, N, D)` of mixes, zero where a mix is zero."""
    return torch.bmm((coefficients / mixes.lengths(coefficients)[:, None]).mT, mixes.vectors)


def shared_trials(texts: Tensor, noise: Tensor, radius: Tensor, directions: Tensor) -> Tensor:
    """Best cosine `(V, N)` of K points per pair whose noise `(N, K, D)` all videos share.

    Texts `(N, D)`; radius and unit directions `(V, N, D)`.
    """
    by_text = (1, 2, 0)  # (V, N, D) as (N, D, V), columns contiguous
    still = torch.einsum("nd,vnd->nv", texts, directions)[:, None]
    products = torch.baddbmm(still, noise, (radius * directions).permute(by_text))  # (N, K, V)
    squares = torch.baddbmm(
        texts.square().sum(-1)[:, None, None], 2 * noise * texts[:, None], radius.permute(by_text)
    )
    squares = squares.baddbmm_(noise.square(), radius.square().permute(by_text))
    tiny = torch.finfo(squares.dtype).tiny
    return (products * squares.clamp_(min=tiny).rsqrt_()).amax(1).T


def own_trials(
    texts: Tensor, noise: Tensor, radius: Tensor, directions: Tensor, finals: Tensor | None = None
) -> Tensor:
    """Best cosine `(N,)` of K points per text with one video, whose noise `(N, K, D)` is its own.

    Texts, radius and unit directions `(N, D)`. With `finals` `(D,)` the chosen point's cosine with that unit
    vector instead, as the released evaluation gives; the first of equal points is chosen.
    """
    points = stochastic_text(texts[:, None], radius[:, None], noise)
    lengths = safe_norm(points)[..., 0]
    cosines = (points * directions[:, None]).sum(-1) / lengths
    if finals is None:
        return cosines.amax(-1)
    chosen = cosines.argmax(-1, keepdim=True)
    return ((points @ finals) / lengths).gather(-1, chosen)[..., 0]
