"""Attention of texts over frames: its products, weights and sums, and the maps around them.

Gorti et al., X-Pool, CVPR 2022 (arXiv 2203.15086), equations 6 to 9.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import BenchError
from methods.parts.dropout import Dropout
from methods.parts.pooling.base import Prepared


def frame_products(queries: Tensor, frames: Tensor) -> Tensor:
    """Inner products per head: `(N, H, d)` with `([N,] V, F, H, d)` -> `(N, V, H, F)`."""
    return torch.einsum("nhd,nvfhd->nvhf" if frames.dim() == 5 else "nhd,vfhd->nvhf", queries, frames)


def weighted_frames(weights: Tensor, frames: Tensor) -> Tensor:
    """Weighted sums over frames per head: `(N, V, H, F)` with `([N,] V, F, H, d)` -> `(N, V, H, d)`."""
    return torch.einsum("nvhf,nvfhd->nvhd" if frames.dim() == 5 else "nvhf,vfhd->nvhd", weights, frames)


def attention_weights(logits: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Softmax of logits over the real frames, which are `mask` bool, broadcast, along `dim`.

    Training and both engines share it. The released code has no mask; where all frames are real nothing
    changes. A video without real frames is attended evenly and stays finite.
    """
    attendable = mask | ~mask.any(dim, keepdim=True)
    return torch.where(attendable, logits, -torch.inf).softmax(dim)


class CrossAttention(nn.Module):
    """The four maps of text-to-frame attention, identity at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)


class AttendingLayers(nn.Module):
    """What X-Pool's pooling trains.

    One LayerNorm serves text and frames. All linear maps start as the identity with zero biases.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise BenchError(f"heads={heads} does not divide the joint width {width}; choose a divisor")
        self.heads = heads
        self.temperature = (width / heads) ** 0.5
        self.cross_attn = CrossAttention(width)
        self.linear_proj = nn.Linear(width, width)
        self.layer_norm1 = nn.LayerNorm(width)
        self.layer_norm2 = nn.LayerNorm(width)
        self.layer_norm3 = nn.LayerNorm(width)
        self.dropout: nn.Module = Dropout(dropout)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.eye_(part.weight)
                nn.init.zeros_(part.bias)

    def queries(self, texts: Tensor) -> Tensor:
        """Queries of texts `(N, D)` per head, `(N, H, d)`."""
        query: Tensor = self.cross_attn.q_proj(self.layer_norm1(texts)).unflatten(-1, (self.heads, -1))
        return query


def projected_heads(layers: AttendingLayers, values: Tensor) -> Tensor:
    """Each head of values `(V, F, D)` after the output projection, bias left out: `(V, H F, D)`."""
    width = values.shape[-1] // layers.heads
    # W_O [h_1; h_2; ...] = sum over heads of W_O,h h_h
    maps = layers.cross_attn.out_proj.weight.split(width, dim=1)  # (D, d) each
    return torch.cat([part @ m.T for part, m in zip(values.split(width, dim=-1), maps, strict=True)], dim=1)


@dataclass(frozen=True)
class AttendedPrepared(Prepared):
    """Fused frames with what the text will attend."""

    keys: Tensor
    """`([N,] V, F, D)`."""
    values: Tensor
    """`([N,] V, F, D)`."""

    def attended(self, weights: Tensor, output: nn.Linear) -> Tensor:
        """What attention puts out, `(N, V, D)`, of weights `(N, V, H, F)`."""
        summed = weighted_frames(weights, self.values.unflatten(-1, (weights.shape[2], -1)))
        out: Tensor = output(summed.flatten(-2))
        return out


@dataclass(frozen=True)
class ProjectedPrepared(AttendedPrepared):
    """The same of frames that no text changes; each is mapped once, not in every sum that a text weights.

    `values` is `([N,] V, H F, D)` here: what attention puts out for each frame and head alone. The weights of
    a head add up to 1, so each head brings its share of the bias.
    """

    def attended(self, weights: Tensor, output: nn.Linear) -> Tensor:
        """What attention puts out, `(N, V, D)`, of weights `(N, V, H, F)`."""
        # W_O sum_f w_f v_f + b = sum_f w_f (W_O v_f + b)
        return weighted_frames(weights.flatten(-2)[:, :, None], self.values[..., None, :])[:, :, 0]
