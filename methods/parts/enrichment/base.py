"""The contract of an enrichment, and the one that leaves frames as they are."""

from collections.abc import Mapping
from typing import Self

from torch import Tensor, nn

from core.batch import Videos
from core.method import Dimensions, Needs
from methods.parts.config import ComposedConfig
from methods.parts.kinds import ENRICHMENTS


@ENRICHMENTS.kind("none")
class Enrichment(nn.Module):
    """What comes before fusion and pooling; this one changes nothing."""

    needs: Needs = Needs()
    """What it reads."""

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """Without parameters."""
        return cls()

    def forward(self, videos: Videos) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Frames `(V, F, D)`, and unweighted scalar objectives; NAME's weight is the config's NAME_weight."""
        return videos.frames, {}

    def frames(self, videos: Videos) -> Tensor:
        """Frames `(V, F, D)` alone."""
        return videos.frames
