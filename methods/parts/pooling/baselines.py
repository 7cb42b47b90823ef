"""X-Pool's two baselines without parameters, on directions (Gorti et al., CVPR 2022)."""

from typing import Self

import torch
from torch import Tensor

from core.method import Dimensions
from methods.parts.config import ComposedConfig
from methods.parts.kinds import POOLINGS
from methods.parts.pooled import Pooled
from methods.parts.pooling.attention import attention_weights, frame_products, weighted_frames
from methods.parts.pooling.base import Pooling, Prepared
from methods.parts.vectors import unit


def top_k_pooled(texts: Tensor, frames: Tensor, mask: Tensor, k: int) -> Tensor:
    """Sum of the k frames `([N,] V, F, D)` nearest to each text `(N, D)`, `(N, V, D)`."""
    products = frame_products(texts[:, None], frames[..., None, :])  # (N, V, 1, F)
    # a padding frame ranks last
    products = products.masked_fill(~mask[..., None, :], -torch.inf)
    best = products.topk(min(k, products.shape[-1]), dim=-1)
    # and is not added where a video has fewer than k real frames
    chosen = torch.zeros_like(products).scatter(
        -1, best.indices, (best.values > -torch.inf).to(products.dtype)
    )
    return weighted_frames(chosen, frames[..., None, :])[..., 0, :]


def attention_pooled(texts: Tensor, frames: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Frames `([N,] V, F, D)` weighted by `softmax(t . f / temperature)`, `(N, V, D)`."""
    products = frame_products(texts[:, None], frames[..., None, :])
    # w = softmax(t . f / temperature), v = sum_f w_f f
    weights = attention_weights(products / temperature, mask[..., None, :], dim=-1)
    return weighted_frames(weights, frames[..., None, :])[..., 0, :]


class Baseline(Pooling[Prepared]):
    """A pooling that looks at the text and prepares nothing."""

    text_conditioned = True

    def prepare(self, frames: Tensor, mask: Tensor) -> Prepared:
        """The frames."""
        return Prepared(frames, mask)


@POOLINGS.kind("top-k")
class TopKPooling(Baseline):
    """The k frames nearest to the text, added up."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """With the configuration's k."""
        return cls(config.top_k)

    def forward(self, texts: Tensor, videos: Prepared) -> Pooled:
        """Pooled vectors `(N, V, D)`."""
        vector = top_k_pooled(unit(texts), unit(videos.frames), videos.mask, self.k)
        return Pooled(vector, videos.frames, videos.mask)


@POOLINGS.kind("attention")
class AttentionPooling(Baseline):
    """Frames weighted by a softmax of their cosines with the text."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """With the configuration's temperature."""
        return cls(config.attention_temperature)

    def forward(self, texts: Tensor, videos: Prepared) -> Pooled:
        """Pooled vectors `(N, V, D)`."""
        vector = attention_pooled(unit(texts), unit(videos.frames), videos.mask, self.temperature)
        return Pooled(vector, videos.frames, videos.mask)
