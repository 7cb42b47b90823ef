"""What scoring keeps of each video of a composed method."""

from dataclasses import dataclass

from torch import Tensor

from core.batch import Rows
from methods.parts.pooling import Prepared


@dataclass(frozen=True)
class VideoIndex(Rows):
    """What scoring needs of each video, free of any text."""

    keys: Tensor
    """`(V,)` int64."""
    mask: Tensor
    """`(V, F)` bool, True for real frames."""
    frames: Tensor
    """`(V, F, D)` fused frames, or plain ones where the fusion waits for the text."""
    audio: Tensor | None = None
    """`(V, F, D)` aligned, projected sound where the fusion waits for the text."""
    attention_keys: Tensor | None = None
    """`(V, F, D)` of text-conditioned pooling over fused frames."""
    attention_values: Tensor | None = None
    """`(V, F, D)` of text-conditioned pooling over fused frames."""
    vector: Tensor | None = None
    """`(V, D)` pooled vector where neither fusion nor pooling needs a text."""

    def prepared(self) -> Prepared:
        """The fused videos as pooling sees them."""
        return Prepared(self.frames, self.mask, self.attention_keys, self.attention_values, self.vector)


def as_index(rows: Rows) -> VideoIndex:
    """The rows as this method's index; a `TypeError` for another method's."""
    if not isinstance(rows, VideoIndex):
        raise TypeError(f"expected the index of a composed method, got {type(rows).__name__}")
    return rows
