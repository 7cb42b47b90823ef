"""CLIP4Clip's seqTransf: positions, a transformer over the frames, a residual, then meanP (section 3.3)."""

from typing import Any, Self

from torch import Tensor, nn

from core.authors import ClipTextWeights
from core.method import Dimensions
from methods.parts.config import ComposedConfig
from methods.parts.kinds import POOLINGS
from methods.parts.pooling.base import Mixing, VectorMixing, VectorPrepared
from methods.parts.pooling.mean import VectorPooling, mean_of_directions
from methods.parts.transformer import (
    TransformerBlock,
    check_positions,
    copy_clip_blocks,
    copy_clip_positions,
    initialise_normal,
    transformer_heads,
    with_positions,
)


@POOLINGS.kind("sequence-transformer")
class SequenceTransformerPooling(VectorPooling):
    """The mean direction of frames that have attended each other."""

    def __init__(self, width: int, layers: int, heads: int, positions: int) -> None:
        super().__init__()
        self.frame_positions = nn.Embedding(positions, width)
        self.transformer = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        initialise_normal(self)

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """Raises `BenchError` for more frames than positions, and heads that do not divide the width."""
        return cls(*cls.sizes(config, dimensions))

    @staticmethod
    def sizes(config: ComposedConfig, dimensions: Dimensions) -> tuple[int, int, int, int]:
        """Width, layers, heads and positions of a configuration."""
        check_positions(config, dimensions.frames)
        heads = transformer_heads(config, dimensions.width)
        return dimensions.width, config.transformer_layers, heads, config.positions

    def initialise_from_clip(self, clip: ClipTextWeights) -> tuple[str, ...]:
        """CLIP's first text layers into the transformer, its positions into the frame positions."""
        copied = {
            "pooling.frame_positions": copy_clip_positions(self.frame_positions, clip),
            "pooling.transformer": copy_clip_blocks(self.transformer, clip),
        }
        return tuple(name for name, done in copied.items() if done)

    def contextual(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Frames `(V, F, D)` after the transformer, plus themselves before the positions."""
        # x = f + E
        x = with_positions(frames, self.frame_positions)
        for block in self.transformer:
            x = block(x, mask)
        # the residual skips the positions
        return x + frames

    def tokens(self, frames: Tensor, mask: Tensor) -> Tensor:
        """`contextual` of frames `([N,] V, F, D)` under `mask` `([N,] V, F)`."""
        rows, row_mask = frames.flatten(0, -3), mask.expand(frames.shape[:-1]).flatten(0, -2)
        return self.contextual(rows, row_mask).view_as(frames)

    def prepare(self, frames: Tensor, mask: Tensor) -> VectorPrepared:
        """Frames as they came and the mean direction of the contextual ones."""
        return VectorPrepared(frames, mask, mean_of_directions(self.tokens(frames, mask), mask))

    def mixing(self, *, waits: bool, moved: bool) -> Mixing[Any, Any, Any, Any] | None:
        """One vector; none where the transformer would run for every text."""
        return None if waits else VectorMixing()
