"""Mixes: vectors that are linear in a few basis vectors per video, never built for a pair.

With basis vectors `E` `(C, D)` of a video and coefficients `a` `(C,)` of a pair, the mix is `a E`. Its
length is `|R a|` with `R` a factor of the Gram matrix, `R^T R = E E^T`: a sum of squares, never a difference
of them, so it cannot turn negative. Its cosine with a text needs only the products of the text with `E`.
Coefficients are `(V, C, N)` with the texts contiguous, because the tiles are batched products over videos.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.batch import Rows


@dataclass(frozen=True)
class Mixes(Rows):
    """Basis vectors of each video and the factor of their Gram matrix."""

    vectors: Tensor
    """`(V, C, D)`."""
    factor: Tensor
    """`(V, C, C)`, see `gram_factor`."""

    @classmethod
    def of(cls, vectors: Tensor) -> "Mixes":
        """The mixes of basis vectors `(V, C, D)`."""
        return cls(vectors, gram_factor(vectors))

    def lengths(self, coefficients: Tensor) -> Tensor:
        """Length of each mix `(V, N)`, 1 where the mix is zero so that it can be divided by."""
        # |a E| = |R a|
        squares = mix_squares(self.factor, coefficients)
        return squares.masked_fill_(squares == 0, 1.0).sqrt_()

    def products(self, texts: Tensor, coefficients: Tensor) -> Tensor:
        """Inner product of each mix with texts `(N, D)`, `(V, N)`."""
        # (a E) . t = sum_c a_c (e_c . t)
        return shared_products(self.vectors, texts).mul_(coefficients).sum(1)

    def cosines(self, directions: Tensor, coefficients: Tensor) -> Tensor:
        """Cosine of each mix with unit vectors `(N, D)`, `(V, N)`; 0 for a zero mix."""
        return self.products(directions, coefficients) / self.lengths(coefficients)


def centred(x: Tensor) -> Tensor:
    """`x` minus its mean over the last axis, what a LayerNorm does first."""
    return x - x.mean(-1, keepdim=True)


def gram_factor(vectors: Tensor) -> Tensor:
    """`R` `(..., C, C)` with `R^T R = E E^T` for vectors `E` `(..., C, D)`, so that `|a E| = |R a|`.

    Computed in float64 by Cholesky; a Gram matrix that is singular (identical frames) takes its eigenvectors
    instead. Either of the vectors' directions, so that a short vector (silence, under a gate that is open)
    keeps its digits beside long ones. Vectors whose variance is wanted come `centred`: a Gram of raw vectors
    minus a squared mean loses all digits to a common offset.
    """
    wide = vectors.double()
    gram = wide @ wide.mT
    lengths = gram.diagonal(dim1=-2, dim2=-1).sqrt()
    scales = lengths.masked_fill(lengths == 0, 1.0)
    # of directions: K = diag(1/|e|) E E^T diag(1/|e|)
    gram = gram / (scales[..., None] * scales[..., None, :])
    gram.diagonal(dim1=-2, dim2=-1).fill_(1.0)
    lower, failed = torch.linalg.cholesky_ex(gram)
    # K = L L^T, so R = L^T
    factor = lower.mT.contiguous()
    singular = failed > 0
    if bool(singular.any()):
        values, axes = torch.linalg.eigh(gram[singular])
        # K = Q diag(w) Q^T, so R = diag(sqrt(w)) Q^T
        factor[singular] = values.clamp(min=0).sqrt()[..., None] * axes.mT
    # R diag(|e|): the lengths that were divided out
    rounded: Tensor = factor.mul_(lengths[..., None, :]).to(vectors.dtype)
    return rounded


def deviation_factor(vectors: Tensor) -> Tensor:
    """Factor of the variances of mixes of centred vectors `(..., C, D)`, `(..., C, C)`."""
    # var(x) = |x|^2 / D for centred x
    factor: Tensor = gram_factor(vectors) / vectors.shape[-1] ** 0.5
    return factor


def mix_squares(factor: Tensor, coefficients: Tensor) -> Tensor:
    """`|R a|^2` `(V, N)` for factors `(V, C, C)` and coefficients `(V, C, N)`."""
    # sum over the rows of R of (R a)^2
    squares: Tensor = torch.bmm(factor, coefficients).square_().sum(1)
    return squares


def shared_products(vectors: Tensor, texts: Tensor) -> Tensor:
    """Inner products `(V, C, N)` of vectors `(V, C, D)` with texts `(N, D)`: one product of two matrices."""
    products: Tensor = (vectors.flatten(0, 1) @ texts.T).unflatten(0, vectors.shape[:2])
    return products
