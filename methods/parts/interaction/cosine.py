"""The cosine of the text with the pooled video, as in CLIP; DRL calls it DP."""

from collections.abc import Callable, Mapping
from typing import Self

import torch
from torch import Tensor

from core.batch import Texts
from core.method import Dimensions
from core.scoring.basis import Mixes
from methods.parts.config import ComposedConfig
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import INTERACTIONS
from methods.parts.objective.decorrelation import Correlation, correlation_penalty, pooled_correlation
from methods.parts.pooled import Pooled
from methods.parts.pooling.base import Prepared
from methods.parts.vectors import unit, vector_cosines


@INTERACTIONS.kind("cosine")
class Cosine(Interaction):
    """`t . v / (|t| |v|)`."""

    is_cosine = True

    def __init__(self, penalty: Correlation | None = None) -> None:
        super().__init__()
        self.penalty = penalty

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """With DRL's decorrelation of pooled vectors, where it is asked for."""
        weights = Correlation(config.cdcr_diagonal, config.cdcr_others)
        return cls(None if config.cdcr == "none" else weights)

    def terms(
        self, texts: Texts, paired: Callable[[], Prepared], generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """CDCR of sentences with their own videos, whichever of its kinds is named: there are no tokens."""
        if self.penalty is None:
            return {}
        videos = paired()
        embeds = texts.embeds.to(videos.frames.dtype)
        correlation = pooled_correlation(unit(embeds), unit(videos.own(embeds)))
        return {"cdcr": correlation_penalty(correlation, self.penalty)}

    def forward(self, query: Tensor, texts: Texts, videos: Pooled, scale: Tensor) -> Tensor:
        """Cosines `(N, V)`, 0 with a zero vector."""
        return vector_cosines(query, videos.direction)

    def compare(self, query: Tensor, mixes: Mixes, coefficients: Tensor) -> Tensor:
        """Cosines `(V, N)`: products with the basis, weighted, over the length of the mix."""
        return mixes.cosines(query, coefficients)
