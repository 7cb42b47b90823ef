"""Pooling that looks at the text: X-Pool's cross-attention and its two parameter-free baselines.

Gorti et al., "X-Pool: Cross-Modal Language-Video Attention for Text-Video Retrieval", CVPR 2022
(arXiv 2203.15086), section 4. T-MASS and GAID use the same module.
"""

import torch
from torch import Tensor, nn

from core.errors import BenchError
from methods.parts.pooling import Pooled, Pooling, Prepared
from methods.parts.vectors import unit


def frame_products(queries: Tensor, frames: Tensor) -> Tensor:
    """Inner products per head: `(N, H, d)` with `([N,] V, F, H, d)` -> `(N, V, H, F)`."""
    return torch.einsum("nhd,nvfhd->nvhf" if frames.dim() == 5 else "nhd,vfhd->nvhf", queries, frames)


def weighted_frames(weights: Tensor, frames: Tensor) -> Tensor:
    """Weighted sums over frames per head: `(N, V, H, F)` with `([N,] V, F, H, d)` -> `(N, V, H, d)`."""
    return torch.einsum("nvhf,nvfhd->nvhd" if frames.dim() == 5 else "nvhf,vfhd->nvhd", weights, frames)


def frame_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the real frames: logits `(N, V, H, F)`, mask `([N,] V, F)` bool.

    The released code has no mask; where all frames are real nothing changes. A video without real frames
    is attended evenly and stays finite.
    """
    mask = (mask | ~mask.any(-1, keepdim=True))[..., None, :]
    return torch.where(mask, logits, -torch.inf).softmax(-1)


class CrossAttention(nn.Module):
    """The four maps of text-to-frame attention, identity at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)


class TextConditionedPooling(Pooling):
    """X-Pool: the text attends the frames; `LN3(o + dropout(W o))` with `o = LN2(attention)`.

    One LayerNorm serves text and frames. All linear maps start as the identity with zero biases.
    Padding frames are not attended; the released code knows no padding.
    """

    text_conditioned = True

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise BenchError(f"heads={heads} does not divide the joint width {width}; choose a divisor")
        self.heads = heads
        self.cross_attn = CrossAttention(width)
        self.linear_proj = nn.Linear(width, width)
        self.layer_norm1 = nn.LayerNorm(width)
        self.layer_norm2 = nn.LayerNorm(width)
        self.layer_norm3 = nn.LayerNorm(width)
        self.dropout: nn.Module = nn.Dropout(dropout)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.eye_(part.weight)
                nn.init.zeros_(part.bias)

    def prepare(self, frames: Tensor, mask: Tensor) -> Prepared:
        """Frames with attention keys and values."""
        normed = self.layer_norm1(frames)
        return Prepared(frames, mask, self.cross_attn.k_proj(normed), self.cross_attn.v_proj(normed))

    def forward(self, texts: Tensor, videos: Prepared) -> Pooled:
        """Pooled vectors `(N, V, D)`."""
        query = self.cross_attn.q_proj(self.layer_norm1(texts)).unflatten(-1, (self.heads, -1))
        assert videos.keys is not None
        assert videos.values is not None
        keys, values = (x.unflatten(-1, (self.heads, -1)) for x in (videos.keys, videos.values))
        logits = frame_products(query, keys) / query.shape[-1] ** 0.5
        attended = weighted_frames(frame_softmax(logits, videos.mask), values)
        out = self.layer_norm2(self.cross_attn.out_proj(attended.flatten(-2)))
        return Pooled(self.layer_norm3(out + self.dropout(self.linear_proj(out))))


def top_k_pooled(texts: Tensor, frames: Tensor, mask: Tensor, k: int) -> Tensor:
    """X-Pool's baseline: sum of the k frames `([N,] V, F, D)` nearest to each text `(N, D)`, `(N, V, D)`."""
    products = frame_products(texts[:, None], frames[..., None, :])  # (N, V, 1, F)
    products = products.masked_fill(~mask[..., None, :], -torch.inf)
    best = products.topk(min(k, products.shape[-1]), dim=-1)
    chosen = torch.zeros_like(products).scatter(
        -1, best.indices, (best.values > -torch.inf).to(products.dtype)
    )
    return weighted_frames(chosen, frames[..., None, :])[..., 0, :]


def attention_pooled(texts: Tensor, frames: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """X-Pool's baseline: frames `([N,] V, F, D)` weighted by `softmax(t . f / temperature)`, `(N, V, D)`."""
    products = frame_products(texts[:, None], frames[..., None, :])
    return weighted_frames(frame_softmax(products / temperature, mask), frames[..., None, :])[..., 0, :]


class TopKPooling(Pooling):
    """X-Pool's top-k baseline on directions."""

    text_conditioned = True

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, texts: Tensor, videos: Prepared) -> Pooled:
        """Pooled vectors `(N, V, D)`."""
        return Pooled(top_k_pooled(unit(texts), unit(videos.frames), videos.mask, self.k))


class AttentionPooling(Pooling):
    """X-Pool's attention baseline on directions."""

    text_conditioned = True

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, texts: Tensor, videos: Prepared) -> Pooled:
        """Pooled vectors `(N, V, D)`."""
        return Pooled(attention_pooled(unit(texts), unit(videos.frames), videos.mask, self.temperature))
