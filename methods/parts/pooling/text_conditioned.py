"""Pooling that looks at the text: X-Pool's cross-attention. T-MASS and GAID use the same module.

Gorti et al., "X-Pool: Cross-Modal Language-Video Attention for Text-Video Retrieval", CVPR 2022
(arXiv 2203.15086), section 4.2:

    q = W_Q LN1(t), k = W_K LN1(f), v = W_V LN1(f)      equations 6 and 7: `queries`, `prepare`
    o = LN2(W_O softmax(q k / sqrt(d)) v)               equations 8 and 9: `attention_weights`, `forward`
    z = LN3(o + dropout(W o))                           equations 10 and 11: `forward`

The algebra: `methods.parts.pooling.attended`, and `attended_products` where nothing moves the text.
"""

from typing import Any, Self

from torch import Tensor

from core.method import Dimensions
from methods.parts.config import ComposedConfig
from methods.parts.kinds import POOLINGS
from methods.parts.pooled import Pooled
from methods.parts.pooling.attended import MixedAttention, StillAttention
from methods.parts.pooling.attended_products import ProductAttention
from methods.parts.pooling.attention import (
    AttendedPrepared,
    AttendingLayers,
    ProjectedPrepared,
    attention_weights,
    frame_products,
    projected_heads,
)
from methods.parts.pooling.base import Mixing, Pooling


@POOLINGS.kind("text-conditioned")
class TextConditionedPooling(AttendingLayers, Pooling[AttendedPrepared]):
    """The text attends the frames.

    Padding frames are not attended; the released code knows no padding.
    """

    text_conditioned = True

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """Raises `BenchError` where the heads do not divide the width."""
        return cls(dimensions.width, config.heads, config.dropout)

    def prepare(self, frames: Tensor, mask: Tensor) -> AttendedPrepared:
        """Frames with attention keys and values."""
        normed = self.layer_norm1(frames)
        keys, values = self.cross_attn.k_proj(normed), self.cross_attn.v_proj(normed)
        if frames.dim() == 3:
            share = self.cross_attn.out_proj.bias / self.heads
            return ProjectedPrepared(frames, mask, keys, projected_heads(self, values) + share)
        return AttendedPrepared(frames, mask, keys, values)

    def forward(self, texts: Tensor, videos: AttendedPrepared) -> Pooled:
        """Pooled vectors `(N, V, D)`."""
        keys = videos.keys.unflatten(-1, (self.heads, -1))
        # q k / sqrt(d), a row over the frames for every text, video and head
        logits = frame_products(self.queries(texts), keys) / self.temperature
        # o = LN2(W_O softmax(q k / sqrt(d)) v)
        weights = attention_weights(logits, videos.mask[..., None, :], dim=-1)
        out = self.layer_norm2(videos.attended(weights, self.cross_attn.out_proj))
        # z = LN3(o + dropout(W o))
        vector = self.layer_norm3(out + self.dropout(self.linear_proj(out)))
        return Pooled(vector, videos.frames, videos.mask)

    def mixing(self, *, waits: bool, moved: bool) -> Mixing[Any, Any, Any, Any]:
        """Mixes of what attention puts out per frame, or per picture and sound of a frame."""
        if waits:
            return MixedAttention(self)
        return StillAttention(self) if moved else ProductAttention(self)
