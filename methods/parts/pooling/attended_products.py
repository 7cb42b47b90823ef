"""X-Pool's pooled vector where only its cosine with an unmoved text is asked: each frame is read once.

What attention puts out for a frame, the maps and both centrings behind it are linear in the frame `n` as
`LN1` normalises it. So the text can take them over (own derivation; the equations are those of
`text_conditioned`):

    q . W_K (gamma n + beta)   = gamma (W_K^T q) . n + the same for all frames        `asked`
    t . e_hf                   = gamma (A_h^T t) . n + t . c_h                        `asked`

with `e_hf` the basis vectors of `attended_mixture`, `A_h` the maps from a normed frame to them and `c_h` what
they share. Logits and products are one product of matrices with `(V, F, D)` frames. Kept with keys and basis
vectors apart, a query has to read more than twice as much, and a single query waits for memory alone.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.batch import Rows
from core.scoring.basis import Mixes, centred, shared_products
from methods.parts.pooling.attended import AttendedMixture, StillAttention, attended_coefficients
from methods.parts.pooling.attention import AttendingLayers, ProjectedPrepared, attention_weights
from methods.parts.pooling.base import Mixing
from methods.parts.vectors import unit


@dataclass(frozen=True)
class FrameMixture(AttendedMixture):
    """Normed frames in place of keys and basis vectors; of the mixes the factor alone."""

    frames: Tensor
    """`(V, F, D)` frames without mean and deviation."""


@dataclass(frozen=True)
class AttendingTexts(Rows):
    """Texts with the maps of the pooling on them."""

    vectors: Tensor
    """`(N, 2 H, D)` what gives the logits of each head, then what gives products with the basis of each."""
    shared: Tensor
    """`(N, H)` what the products of a head have in common."""
    constants: Tensor
    """`(N, 2)` products with the two constant basis vectors."""


@dataclass(frozen=True)
class AskedMixes(Mixes):
    """Mixes whose products with the texts are known."""

    known: Tensor
    """`(V, C, N)`; the basis `vectors` are empty."""

    def products(self, texts: Tensor, coefficients: Tensor) -> Tensor:
        """Inner product of each mix with the texts that were asked, `(V, N)`."""
        return (self.known * coefficients).sum(1)


class ProductAttention(Mixing[ProjectedPrepared, Rows, Any, FrameMixture]):
    """Attention over frames that no text changes, for the cosine with texts that nothing moves."""

    def __init__(self, pooling: AttendingLayers) -> None:
        self.pooling, self.still = pooling, StillAttention(pooling)

    def mixture(self, videos: ProjectedPrepared, frames: Rows) -> FrameMixture:
        """Normed frames, and the factors of the basis that is not kept."""
        norm, made = self.pooling.layer_norm1, self.still.mixture(videos, frames)
        normed = torch.nn.functional.layer_norm(videos.frames, norm.normalized_shape, eps=norm.eps)
        factor = Mixes(made.mixes.vectors[:, :0].clone(), made.mixes.factor)
        return FrameMixture(factor, made.mask, made.second, made.third, normed)

    def asked(self, texts: Tensor) -> AttendingTexts:
        """The maps on texts `(N, D)`: `W_K` on their queries, and all that follows attention on them."""
        pooling, heads = self.pooling, self.pooling.heads
        attention, residual = pooling.cross_attn, pooling.linear_proj
        second, third = pooling.layer_norm2, pooling.layer_norm3
        gamma, beta = pooling.layer_norm1.weight, pooling.layer_norm1.bias

        def mapped_back(vectors: Tensor, maps: Tensor) -> Tensor:
            """`(H, N, D)` of vectors `(N, H, d)` by the transposed maps `(D, D)` of each head."""
            return torch.bmm(vectors.transpose(0, 1), maps.unflatten(0, (heads, -1)))

        # q . W_K (gamma n) = gamma (W_K^T q) . n
        logits = mapped_back(self.still.asked(texts), attention.k_proj.weight) * gamma
        directions = unit(texts)
        # t . gamma_3 C (x + W x) = (u + W^T u) . x with u = C (gamma_3 t), C centres and is symmetric
        after = centred(third.weight * directions)
        through = after + after @ residual.weight
        # x = gamma_2 C y, y = W_O W_V (gamma n + beta) + biases
        back = centred(second.weight * through)
        values = (back @ attention.out_proj.weight).unflatten(-1, (heads, -1))  # (N, H, d)
        products = mapped_back(values, attention.v_proj.weight)
        biases = (values * attention.v_proj.bias.unflatten(0, (heads, -1))).sum(-1)
        shared = (products @ beta).T + biases + (back @ attention.out_proj.bias)[:, None] / heads
        # gamma_3 C (beta_2 + W beta_2 + b), and beta_3
        constant = through @ second.bias + after @ residual.bias
        constants = torch.stack([constant, directions @ third.bias], dim=1)
        # heads first in memory, so that all heads of all texts are one matrix
        return AttendingTexts(torch.cat([logits, products * gamma]).transpose(0, 1), shared, constants)

    def mix(self, mixture: FrameMixture, frames: Any, asked: AttendingTexts) -> Tensor:
        """Coefficients alone."""
        return self.pooled(mixture, frames, asked)[1]

    def pooled(self, mixture: FrameMixture, frames: Any, asked: AttendingTexts) -> tuple[Mixes, Tensor]:
        """Products with the basis and coefficients `(V, H F + 2, N)`, from one pass over the frames."""
        heads = self.pooling.heads
        products = self.frame_products(mixture, asked.vectors)
        weights = attention_weights(products[:, :, :heads], mixture.mask[:, :, None, None], dim=1)
        joined = weights.transpose(1, 2).flatten(1, 2)  # (V, H F, N)
        known = products.new_empty(len(mixture), joined.shape[1] + 2, len(asked))
        # t . e_hf = gamma (A_h^T t) . n_f + t . c_h
        torch.add(
            products[:, :, heads:].transpose(1, 2),
            asked.shared.T[:, None],
            out=known[:, :-2].unflatten(1, (heads, -1)),
        )
        known[:, -2:] = asked.constants.T
        coefficients = attended_coefficients(self.pooling, mixture, joined)
        return AskedMixes(mixture.mixes.vectors, mixture.mixes.factor, known), coefficients

    def frame_products(self, mixture: FrameMixture, vectors: Tensor) -> Tensor:
        """`(V, F, J, N)` of normed frames with J vectors of each text, `(N, J, D)`."""
        stacked = shared_products(mixture.frames, vectors.transpose(0, 1).flatten(0, 1))
        products: Tensor = stacked.unflatten(2, (vectors.shape[1], -1))
        return products

    def frame_weights(self, mixture: FrameMixture, frames: Any, asked: AttendingTexts) -> Tensor:
        """The mean of the heads' attention."""
        logits = self.frame_products(mixture, asked.vectors[:, : self.pooling.heads])
        return attention_weights(logits, mixture.mask[:, :, None, None], dim=1).mean(2)
