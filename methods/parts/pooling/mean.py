"""CLIP4Clip's meanP: the mean of the frames' directions, without parameters.

    v = 1/F sum_i f_i / |f_i|       Luo et al., arXiv 2104.08860, section 3.3: `mean_of_directions`

Over frames that a gate mixes anew for every text, v is a mix of 2 F pictures and sounds: `MeanOfMixed`.
"""

from typing import Any, Self

import torch
from torch import Tensor

from core.method import Dimensions
from core.scoring.basis import Mixes
from methods.parts.config import ComposedConfig
from methods.parts.fusion.gate import GatedFrames, MixedFrames
from methods.parts.kinds import POOLINGS
from methods.parts.pooled import Pooled
from methods.parts.pooling.base import Mixing, Mixture, Pooling, Prepared, VectorMixing, VectorPrepared
from methods.parts.vectors import masked_mean, unit


def mean_of_directions(frames: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real frames' directions, `(..., F, D)` -> `(..., D)`.

    Masked before it is divided, so that zero frames behind the clip and an empty mask stay finite; the
    released order gives NaN there (`released_mean_of_directions`).
    """
    # v = 1/F sum_i f_i / |f_i|
    return masked_mean(unit(frames), mask)


def released_mean_of_directions(frames: Tensor, mask: Tensor) -> Tensor:
    """meanP in the released order, direction of the mean `(V, D)`: NaN for zero frames and empty masks."""
    # divided before it is masked: a zero frame is 0 / 0 even where the mask leaves it out
    directions = frames / torch.linalg.vector_norm(frames, dim=-1, keepdim=True)
    mean = (directions * mask[..., None]).sum(-2) / mask.sum(-1, keepdim=True).clamp(min=1)
    direction: Tensor = mean / torch.linalg.vector_norm(mean, dim=-1, keepdim=True)
    return direction


class MeanOfMixed(Mixing[Prepared, GatedFrames, MixedFrames, Mixture]):
    """The mean of frames that a gate mixes."""

    def mixture(self, videos: Prepared, frames: GatedFrames) -> Mixture:
        """Picture and sound of every frame: `(V, 2 F, D)`."""
        # the algebra keeps picture and sound centred; the mean puts them back
        return Mixture(Mixes.of(frames.vectors + frames.means[..., None]))

    def mix(self, mixture: Mixture, frames: MixedFrames, asked: Tensor) -> Tensor:
        """The shares of each real frame over its length, `(V, 2 F, N)`: the sum of directions."""
        # u / |u| = (1 - g) / |u| f + g / |u| a; the number of frames cancels in a cosine
        return (frames.shares * (frames.of.mask[..., None] / frames.lengths)[:, :, None]).flatten(1, 2)


class VectorPooling(Pooling[VectorPrepared]):
    """A pooling that is finished before any text is seen."""

    def forward(self, texts: Tensor, videos: VectorPrepared) -> Pooled:
        """The same vector whatever the text."""
        return Pooled(videos.vector, videos.frames, videos.mask)


@POOLINGS.kind("mean")
class MeanPooling(VectorPooling):
    """CLIP4Clip's parameter-free header."""

    in_frames = True

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """Without parameters."""
        return cls()

    def prepare(self, frames: Tensor, mask: Tensor) -> VectorPrepared:
        """Frames and their mean direction."""
        return VectorPrepared(frames, mask, mean_of_directions(frames, mask))

    def mixing(self, *, waits: bool, moved: bool) -> Mixing[Any, Any, Any, Any]:
        """One vector, or 2 F of them."""
        return MeanOfMixed() if waits else VectorMixing()
