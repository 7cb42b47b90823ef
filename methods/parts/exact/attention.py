"""Text-conditioned pooling as a mix: attention is linear in its values, each LayerNorm in all but its length.

For one pair, attention puts out `o = sum_b w_b y_b` over basis vectors `y_b` of the video. `LN2(o)` divides
`sum_b w_b C y_b` (`C` centres) by its standard deviation, the residual layer is linear again, and so is
`LN3` but for its own deviation. The pooled vector is therefore a mix of one vector per `y_b` and two
constants, with two lengths that cost a small matrix each (own derivation from X-Pool, arXiv 2203.15086,
section 4). Dropout must be off.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.batch import Rows
from core.scoring.basis import Mixes, centred, gram_factor, mix_squares, shared_products
from methods.parts.conditioned import TextConditionedPooling


@dataclass(frozen=True)
class Head(Rows):
    """What follows attention, two LayerNorms around a residual layer, for B attended vectors per video."""

    second: Tensor
    """`(V, B, B)` factor of `LN2`'s variance."""
    third: Tensor
    """`(V, B + 1, B + 1)` factor of `LN3`'s variance; the last vector is the constant behind `LN2`."""
    pooled: Mixes
    """The pooled vector as a mix of B vectors, the constant and the bias of `LN3`."""


def deviation_factor(vectors: Tensor) -> Tensor:
    """Factor of the variances of mixes of centred vectors `(V, C, D)`, `(V, C, C)`."""
    factor: Tensor = gram_factor(vectors) / vectors.shape[-1] ** 0.5
    return factor


def inverse_deviation(factor: Tensor, coefficients: Tensor, norm: nn.LayerNorm) -> Tensor:
    """What a LayerNorm multiplies the centred mixes with, `(V, 1, N)`; coefficients `(V, C, N)`."""
    return mix_squares(factor, coefficients).add_(norm.eps).rsqrt_()[:, None]


def attended_vectors(pooling: TextConditionedPooling, values: Tensor) -> Tensor:
    """What attention puts out for each frame and head alone: values `(V, F, D)` -> `(V, H F, D)`.

    The weights of a head add up to 1, so each head brings its share of the bias.
    """
    return projected_heads(pooling, values) + pooling.cross_attn.out_proj.bias / pooling.heads


def projected_heads(pooling: TextConditionedPooling, values: Tensor) -> Tensor:
    """Each head of values `(V, F, D)` after the output projection, bias left out: `(V, H F, D)`."""
    width = values.shape[-1] // pooling.heads
    maps = pooling.cross_attn.out_proj.weight.split(width, dim=1)  # (D, d) each
    return torch.cat([part @ m.T for part, m in zip(values.split(width, dim=-1), maps, strict=True)], dim=1)


def head_of(pooling: TextConditionedPooling, attended: Tensor) -> Head:
    """The basis of what follows attention, for attended vectors `(V, B, D)`."""
    second, third, residual = pooling.layer_norm2, pooling.layer_norm3, pooling.linear_proj
    deviating = centred(attended)
    scaled = second.weight * deviating
    constant = second.bias + residual(second.bias)
    through = torch.cat(
        [scaled + scaled @ residual.weight.T, constant.expand(len(attended), 1, -1)], dim=1
    )  # (V, B + 1, D)
    through = centred(through)
    bias = third.bias.expand(len(attended), 1, -1)
    pooled = Mixes.of(torch.cat([third.weight * through, bias], dim=1))
    return Head(deviation_factor(deviating), deviation_factor(through), pooled)


def pooled_coefficients(pooling: TextConditionedPooling, head: Head, weights: Tensor) -> Tensor:
    """Coefficients `(V, B + 2, N)` of the pooled vectors, from those of attention `(V, B, N)`."""
    videos, count, texts = weights.shape
    out = weights.new_empty(videos, count + 2, texts)
    torch.mul(weights, inverse_deviation(head.second, weights, pooling.layer_norm2), out=out[:, :count])
    out[:, count:] = 1
    mixed = out[:, : count + 1]
    mixed *= inverse_deviation(head.third, mixed, pooling.layer_norm3)
    return out


def queries_of(pooling: TextConditionedPooling, texts: Tensor) -> Tensor:
    """Scaled queries of texts `(N, D)` per head, `(N, H, d)`."""
    query: Tensor = pooling.cross_attn.q_proj(pooling.layer_norm1(texts))
    scaled: Tensor = query / (query.shape[-1] / pooling.heads) ** 0.5
    heads: Tensor = scaled.unflatten(-1, (pooling.heads, -1))
    return heads


def frame_weights(queries: Tensor, keys: Tensor, attendable: Tensor) -> Tensor:
    """Attention of queries `(N, H, d)` over keys `(V, F, D)`, head after head: `(V, H F, N)`.

    `attendable` `(V, F)` bool.
    """
    weights = keys.new_empty(len(keys), queries.shape[1], keys.shape[1], len(queries))
    for head, key in enumerate(keys.split(queries.shape[2], dim=2)):
        logits = shared_products(key, queries[:, head]).masked_fill_(~attendable[..., None], -torch.inf)
        torch.softmax(logits, dim=1, out=weights[:, head])
    return weights.flatten(1, 2)


def attendable_frames(mask: Tensor) -> Tensor:
    """Frames that attention may look at, `(V, F)` bool: the real ones, or all where there is none."""
    return mask | ~mask.any(-1, keepdim=True)
