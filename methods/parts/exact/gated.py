"""Frames that a gate fuses for every text, as mixes of picture and sound with coefficients `1 - g` and `g`.

The gate of a pair is a number per frame of the video plus a number per text (GAID, arXiv 2508.01711,
equations 1 and 2); with a gate per element of a frame, fusion is no mix of two vectors. Coefficients are kept
as `(1 - g, g)` and not as `f + g (a - f)`, which loses digits where the gate saturates. F frames have a basis
of 2 F vectors, picture and sound of a frame side by side.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.batch import Rows
from core.scoring.basis import centred, gram_factor, mix_squares, shared_products
from methods.parts.conditioned import TextConditionedPooling
from methods.parts.exact.attention import deviation_factor, projected_heads
from methods.parts.fusion import GateFusion


@dataclass(frozen=True)
class GatedFrames(Rows):
    """Picture and sound of each video as the gate mixes them."""

    logits: Tensor
    """`(V, F)` what picture and sound put into the gate, its bias included."""
    vectors: Tensor
    """`(V, 2 F, D)` centred picture and sound."""
    means: Tensor
    """`(V, 2 F)` what was subtracted."""
    lengths: Tensor
    """`(V, F, 2, 2)` factor of the lengths of fused frames."""
    deviations: Tensor
    """`(V, F, 2, 2)` factor of the variances of fused frames."""


def gated_frames(fusion: GateFusion, frames: Tensor, audio: Tensor, mask: Tensor) -> GatedFrames:
    """The mixes of frames and sound `(V, F, D)` under `mask` `(V, F)`."""
    logits = fusion.video_logits(frames, audio, mask)[..., 0]
    pairs = torch.stack([frames, audio], dim=2)  # (V, F, 2, D)
    deviating = centred(pairs)
    return GatedFrames(
        logits.expand(mask.shape),
        deviating.flatten(1, 2),
        pairs.mean(-1).flatten(1, 2),
        gram_factor(pairs),
        deviation_factor(deviating),
    )


def shares(gated: GatedFrames, text_logits: Tensor) -> Tensor:
    """Coefficients `(V, F, 2, N)` of picture and sound for texts that put `(N,)` into the gate."""
    sound = (gated.logits[..., None] + text_logits).sigmoid_()
    return torch.stack([1 - sound, sound], dim=2)


def fused_squares(factor: Tensor, shares: Tensor) -> Tensor:
    """`(V, F, N)` squared length, or variance, of fused frames; factor `(V, F, 2, 2)`."""
    squares = mix_squares(factor.flatten(0, 1), shares.flatten(0, 1))
    return squares.view(*shares.shape[:2], -1)


def fused_lengths(gated: GatedFrames, shares: Tensor) -> Tensor:
    """Lengths of fused frames `(V, F, N)`, 1 for a frame that is zero."""
    squares = fused_squares(gated.lengths, shares)
    return squares.masked_fill_(squares == 0, 1.0).sqrt_()


def fused_cosines(gated: GatedFrames, shares: Tensor, directions: Tensor, mask: Tensor) -> Tensor:
    """Cosines `(V, F, N)` of unit vectors `(N, D)` with fused frames, 0 for padding."""
    products = shared_products(gated.vectors, directions)
    products.addcmul_(gated.means[..., None], directions.sum(-1).expand_as(products))
    mixed: Tensor = products.unflatten(1, (-1, 2)).mul_(shares).sum(2)
    return mixed.div_(fused_lengths(gated, shares)).mul_(mask[..., None])


def fused_mean(gated: GatedFrames, shares: Tensor, mask: Tensor) -> Tensor:
    """Coefficients `(V, 2 F, N)` of the sum of the real fused frames' directions."""
    return (shares * (mask[..., None] / fused_lengths(gated, shares))[:, :, None]).flatten(1, 2)


def attended_sources(pooling: TextConditionedPooling, gated: GatedFrames) -> Tensor:
    """What attention puts out for centred picture and sound alone, per head, and its constant.

    `(V, 2 F H + 1, D)`: frames of the first head first, the constant last.
    """
    attention, norm = pooling.cross_attn, pooling.layer_norm1
    values = (norm.weight * gated.vectors) @ attention.v_proj.weight.T
    constant = attention.out_proj(attention.v_proj(norm.bias))
    return torch.cat([projected_heads(pooling, values), constant.expand(len(values), 1, -1)], dim=1)


def source_queries(pooling: TextConditionedPooling, queries: Tensor) -> Tensor:
    """Queries `(N, H, d)` as vectors `(N, H, D)` whose products with centred frames are the logits.

    The key map acts on the text: one vector per text and head instead of two per frame. What it adds to all
    frames alike is left out.
    """
    maps = pooling.cross_attn.k_proj.weight.unflatten(0, (pooling.heads, -1))  # (H, d, D)
    asked: Tensor = torch.einsum("nhd,hde->nhe", queries, maps) * pooling.layer_norm1.weight
    return asked


def source_weights(
    pooling: TextConditionedPooling, gated: GatedFrames, shares: Tensor, queries: Tensor, attendable: Tensor
) -> Tensor:
    """Attention of `source_queries` `(N, H, D)`: coefficients `(V, 2 F H + 1, N)` of `attended_sources`."""
    videos, frames, _, texts = shares.shape
    scale = fused_squares(gated.deviations, shares).add_(pooling.layer_norm1.eps).rsqrt_()
    normed = shares * scale[:, :, None]  # (V, F, 2, N): fused frames after their LayerNorm
    weights = shares.new_empty(videos, 2 * frames * pooling.heads + 1, texts)
    for head, part in enumerate(weights[:, :-1].split(2 * frames, dim=1)):
        products = shared_products(gated.vectors, queries[:, head]).unflatten(1, (-1, 2))
        logits = products.mul_(normed).sum(2).masked_fill_(~attendable[..., None], -torch.inf)
        torch.mul(normed, logits.softmax(1)[:, :, None], out=part.unflatten(1, (-1, 2)))
    weights[:, -1] = 1
    return weights
