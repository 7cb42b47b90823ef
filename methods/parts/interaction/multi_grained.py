"""AVIGATE's similarity: the mean of a global cosine and a log-sum-exp over the frames.

Jeong et al., CVPR 2025 (arXiv 2504.02397), section 3.4.
"""

from typing import Self

import torch
from torch import Tensor

from core.batch import Texts
from core.method import Dimensions
from methods.parts.config import ComposedConfig
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import INTERACTIONS
from methods.parts.pooled import Pooled
from methods.parts.vectors import frame_cosines, unit, vector_cosines


def local_similarity(cosines: Tensor, mask: Tensor, scale: Tensor, temperature: float) -> Tensor:
    """`log(sum over real frames of exp(tau s c)) / (tau s)`, `(N, V)`.

    Cosines `(N, V, F)`, mask `([N,] V, F)`. Not divided by the number of frames, as released; a video without
    real frames gets 0. The released code exponentiates directly and overflows float32 past 88.
    """
    # tau s
    sharpness = temperature * scale
    empty = ~mask.any(-1)
    # an empty clip keeps finite numbers here and gets its 0 below
    kept = torch.where(mask | empty[..., None], sharpness * cosines, -torch.inf)
    # log sum_f exp(tau s c_f) / (tau s)
    return (kept.logsumexp(-1) / sharpness).masked_fill(empty, 0.0)


@INTERACTIONS.kind("multi-grained")
class MultiGrained(Interaction):
    """`(cos(t, v) + local similarity of t with the frames) / 2`."""

    obstacle = "multi-grained interaction"

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """With the configuration's tau."""
        return cls(config.temperature)

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """A cosine per frame."""
        return dimensions.frames

    def forward(self, query: Tensor, texts: Texts, videos: Pooled, scale: Tensor) -> Tensor:
        """Mean of both grains `(N, V)`."""
        cosines = frame_cosines(query, unit(videos.frames))
        local = local_similarity(cosines, videos.mask, scale, self.temperature)
        # (local + global) / 2
        return (local + vector_cosines(query, videos.direction)) / 2
