"""Where in a video a composition's score comes from: the pooling's weights and the gate's, of one pair."""

from torch import Tensor

from core.capabilities import Moments
from methods.parts.exact import ComposedExact, ExactIndex, ExactQueries


class ComposedMoments(Moments[ExactQueries, ExactIndex]):
    """From the algebra of the parts."""

    def __init__(self, exact: ComposedExact) -> None:
        self.exact = exact

    def frames(self, queries: ExactQueries, basis: ExactIndex) -> Tensor | None:
        """What the pooling gives each frame, the mean over its heads."""
        frames = self.exact.fusion.shares(basis.frames, queries.gate)
        weights = self.exact.pooling.frame_weights(basis.pooled, frames, queries.attention)
        return None if weights is None else weights.permute(2, 0, 1)  # (V, F, N) -> (N, V, F)

    def sound(self, queries: ExactQueries, basis: ExactIndex) -> Tensor | None:
        """The gate of each frame, where it waits for the text."""
        weights = self.exact.fusion.shares(basis.frames, queries.gate).sound
        return None if weights is None else weights.permute(2, 0, 1)  # (V, F, N) -> (N, V, F)
