"""What pooling makes of a video: what an interaction compares a text with."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from methods.parts.vectors import unit


@dataclass(frozen=True)
class Pooled:
    """A video that a text is compared with; `([N,] V, ...)`, with N where each text has its own."""

    vector: Tensor
    """`([N,] V, D)` one vector per video."""
    frames: Tensor
    """`([N,] V, F, D)` fused frames, for similarities that look at single frames."""
    mask: Tensor
    """`([N,] V, F)` bool, True for real frames."""

    @cached_property
    def direction(self) -> Tensor:
        """Unit vectors `([N,] V, D)`; many queries of the same videos divide once."""
        return unit(self.vector)
