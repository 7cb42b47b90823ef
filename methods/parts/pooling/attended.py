"""What X-Pool's attention puts out as mixes of a few vectors per video, and what follows it.

Own derivation over the equations of `text_conditioned`: attention is linear in its values, each LayerNorm
in all but a length. For one pair, attention puts out `sum_b w_b y_b` over basis vectors `y_b` of the video.
`LN2` divides `sum_b w_b C y_b` (`C` centres) by its standard deviation, the residual layer is linear again,
and so is `LN3` but for its own deviation. So z is a mix of one vector per `y_b` and two constants, with two
lengths that cost a small matrix each (`attended_mixture`, `attended_coefficients`). Over frames that a gate
mixes, `y_b` are what attention puts out for centred picture and sound alone, and `LN1` is one more length
(`MixedAttention`).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.batch import Rows
from core.scoring.basis import Mixes, centred, deviation_factor, mix_squares, shared_products
from methods.parts.fusion.gate import GatedFrames, MixedFrames
from methods.parts.pooling.attention import (
    AttendingLayers,
    ProjectedPrepared,
    attention_weights,
    projected_heads,
)
from methods.parts.pooling.base import Mixing, Mixture, Prepared


@dataclass(frozen=True)
class AttendedMixture(Mixture):
    """What follows attention, two LayerNorms around a residual layer, for B attended vectors per video."""

    mask: Tensor
    """`(V, F)` bool, True for real frames."""
    second: Tensor
    """`(V, B, B)` factor of `LN2`'s variance."""
    third: Tensor
    """`(V, B + 1, B + 1)` factor of `LN3`'s variance; the last vector is the constant behind `LN2`."""


@dataclass(frozen=True)
class KeyedMixture(AttendedMixture):
    """The same, with what the text attends."""

    keys: Tensor
    """`(V, F, D)`."""


def attended_mixture(pooling: AttendingLayers, mask: Tensor, attended: Tensor) -> AttendedMixture:
    """The basis of what follows attention, for attended vectors `(V, B, D)`.

    The pooled vectors are mixes of B vectors, the constant and the bias of `LN3`.
    """
    second, third, residual = pooling.layer_norm2, pooling.layer_norm3, pooling.linear_proj
    # LN2 subtracts a mean, which is linear, and divides by a deviation, which is left to the mix
    deviating = centred(attended)
    # o = scaled / deviation + bias
    scaled = second.weight * deviating
    # o + W o of `o = scaled / deviation + second.bias`: linear in scaled, and a constant
    constant = second.bias + residual(second.bias)
    through = centred(
        torch.cat([scaled + scaled @ residual.weight.T, constant.expand(len(attended), 1, -1)], dim=1)
    )  # (V, B + 1, D)
    # LN3 adds its bias behind its own division, so the bias is a vector of the mix as well
    bias = third.bias.expand(len(attended), 1, -1)
    pooled = Mixes.of(torch.cat([third.weight * through, bias], dim=1))
    return AttendedMixture(pooled, mask, deviation_factor(deviating), deviation_factor(through))


def attended_coefficients(pooling: AttendingLayers, mixture: AttendedMixture, weights: Tensor) -> Tensor:
    """Coefficients `(V, B + 2, N)` of the pooled vectors, from those of attention `(V, B, N)`."""
    videos, count, texts = weights.shape
    out = weights.new_empty(videos, count + 2, texts)
    # LN2 divides the B attended vectors by the deviation of their mix; the two constants keep 1
    torch.mul(weights, inverse_deviation(mixture.second, weights, pooling.layer_norm2), out=out[:, :count])
    out[:, count:] = 1
    # LN3 divides all but its own bias
    mixed = out[:, : count + 1]
    mixed *= inverse_deviation(mixture.third, mixed, pooling.layer_norm3)
    return out


def inverse_deviation(factor: Tensor, coefficients: Tensor, norm: nn.LayerNorm) -> Tensor:
    """What a LayerNorm multiplies the centred mixes with, `(V, 1, N)`; coefficients `(V, C, N)`."""
    # 1 / sqrt(|R a|^2 + eps), where |R a|^2 is the variance of the mix
    return mix_squares(factor, coefficients).add_(norm.eps).rsqrt_()[:, None]


class StillAttention(Mixing[ProjectedPrepared, Rows, Any, KeyedMixture]):
    """Attention over frames that no text changes; dropout must be off."""

    def __init__(self, pooling: AttendingLayers) -> None:
        self.pooling = pooling

    def mixture(self, videos: ProjectedPrepared, frames: Rows) -> KeyedMixture:
        """What attention puts out for each frame and head alone, `(V, H F, D)`."""
        head = attended_mixture(self.pooling, videos.mask, videos.values)
        return KeyedMixture(head.mixes, head.mask, head.second, head.third, videos.keys)

    def asked(self, texts: Tensor) -> Tensor:
        """Scaled queries per head, `(N, H, d)`."""
        scaled: Tensor = self.pooling.queries(texts) / self.pooling.temperature
        return scaled

    def mix(self, mixture: KeyedMixture, frames: Any, asked: Tensor) -> Tensor:
        """Attention head after head, and what follows it."""
        joined = torch.cat(self.attention(mixture, asked), dim=1)  # (V, H F, N)
        return attended_coefficients(self.pooling, mixture, joined)

    def attention(self, mixture: KeyedMixture, asked: Tensor) -> list[Tensor]:
        """Attention `(V, F, N)` of each head."""
        real, keys = mixture.mask[..., None], mixture.keys.split(asked.shape[2], dim=2)
        products = (shared_products(key, asked[:, head]) for head, key in enumerate(keys))
        return [attention_weights(logits, real, dim=1) for logits in products]

    def frame_weights(self, mixture: KeyedMixture, frames: Any, asked: Tensor) -> Tensor:
        """The mean of the heads' attention."""
        return torch.stack(self.attention(mixture, asked)).mean(0)


class MixedAttention(Mixing[Prepared, GatedFrames, MixedFrames, AttendedMixture]):
    """Attention over frames that a gate mixes of picture and sound for every text."""

    def __init__(self, pooling: AttendingLayers) -> None:
        self.pooling = pooling

    def mixture(self, videos: Prepared, frames: GatedFrames) -> AttendedMixture:
        """What attention puts out for centred picture and sound alone, per head, and its constant.

        `(V, 2 F H + 1, D)`: frames of the first head first, the constant last.
        """
        attention, norm = self.pooling.cross_attn, self.pooling.layer_norm1
        # W_V (gamma x + beta) = W_V gamma x + W_V beta, the last a constant of the mix
        values = (norm.weight * frames.vectors) @ attention.v_proj.weight.T
        constant = attention.out_proj(attention.v_proj(norm.bias)).expand(len(values), 1, -1)
        attended = torch.cat([projected_heads(self.pooling, values), constant], dim=1)
        return attended_mixture(self.pooling, frames.mask, attended)

    def asked(self, texts: Tensor) -> Tensor:
        """Scaled queries as vectors `(N, H, D)` whose products with centred frames are the logits.

        The key map acts on the text: one vector per text and head instead of two per frame. What it adds to
        all frames alike is left out.
        """
        pooling = self.pooling
        maps = pooling.cross_attn.k_proj.weight.unflatten(0, (pooling.heads, -1))  # (H, d, D)
        queries = pooling.queries(texts) / pooling.temperature
        # q . (W_K gamma x) = (W_K^T q) gamma . x
        asked: Tensor = torch.einsum("nhd,hde->nhe", queries, maps) * pooling.layer_norm1.weight
        return asked

    def mix(self, mixture: AttendedMixture, frames: MixedFrames, asked: Tensor) -> Tensor:
        """Attention head after head, times the shares; the constant has weight 1."""
        (videos, count, _, texts), normed = frames.shares.shape, self.normed(frames)
        weights = normed.new_empty(videos, 2 * count * asked.shape[1] + 1, texts)
        for head, part in enumerate(weights[:, :-1].split(2 * count, dim=1)):
            attention = self.attention(mixture, frames, normed, asked[:, head])
            # weight of a picture or sound: attention of its frame times its share in the frame
            torch.mul(normed, attention[:, :, None], out=part.unflatten(1, (-1, 2)))
        weights[:, -1] = 1
        return attended_coefficients(self.pooling, mixture, weights)

    def normed(self, frames: MixedFrames) -> Tensor:
        """Shares `(V, F, 2, N)` after LN1, which divides a fused frame by its deviation."""
        scale = frames.squares(frames.of.deviations).add_(self.pooling.layer_norm1.eps).rsqrt_()
        return frames.shares * scale[:, :, None]

    def attention(self, kept: AttendedMixture, frames: MixedFrames, normed: Tensor, asked: Tensor) -> Tensor:
        """Attention `(V, F, N)` of the head that asks with `(N, D)`."""
        # the logit of a fused frame: shares of picture and sound over the deviation of the frame
        logits = frames.products(asked).unflatten(1, (-1, 2)).mul_(normed).sum(2)  # (V, F, N)
        return attention_weights(logits, kept.mask[..., None], dim=1)

    def frame_weights(self, mixture: AttendedMixture, frames: MixedFrames, asked: Tensor) -> Tensor:
        """The mean of the heads' attention."""
        normed = self.normed(frames)
        return torch.stack([self.attention(mixture, frames, normed, q) for q in asked.unbind(1)]).mean(0)
