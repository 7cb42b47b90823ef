"""DRL's cross transformer as an interaction."""

from typing import Self

from torch import Tensor

from core.batch import Texts
from core.method import Dimensions
from methods.parts.config import ComposedConfig
from methods.parts.interaction.base import Interaction
from methods.parts.interaction.cross import CrossTransformer
from methods.parts.kinds import INTERACTIONS
from methods.parts.pooled import Pooled
from methods.parts.transformer import check_positions, transformer_heads


@INTERACTIONS.kind("xti")
class CrossInteraction(Interaction):
    """A number that a transformer reads off the caption and one video's frames together."""

    sentence = False
    pooled = False
    obstacle = "xti interaction"

    def __init__(self, width: int, layers: int, heads: int, positions: int) -> None:
        super().__init__()
        self.cross = CrossTransformer(width, layers, heads, positions, dropout=0.1)

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """As many layers and heads as the transformer over frames."""
        check_positions(config, dimensions.frames + 1)
        heads = transformer_heads(config, dimensions.width)
        return cls(dimensions.width, config.transformer_layers, heads, config.positions)

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """The widest layer of a pair's sequence."""
        return 8 * dimensions.width * (dimensions.frames + 1)

    def forward(self, query: Tensor, texts: Texts, videos: Pooled, scale: Tensor) -> Tensor:
        """Scores `(N, V)`."""
        scores: Tensor = self.cross(query[:, 0], videos.frames, videos.mask)
        return scores
