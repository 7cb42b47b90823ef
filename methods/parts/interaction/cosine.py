"""The cosine of the text with the pooled video, as in CLIP."""

from torch import Tensor

from core.batch import Texts
from core.scoring.basis import Mixes
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import INTERACTIONS
from methods.parts.pooled import Pooled
from methods.parts.vectors import vector_cosines


@INTERACTIONS.kind("cosine")
class Cosine(Interaction):
    """`t . v / (|t| |v|)`."""

    is_cosine = True

    def forward(self, query: Tensor, texts: Texts, videos: Pooled, scale: Tensor) -> Tensor:
        """Cosines `(N, V)`, 0 with a zero vector."""
        return vector_cosines(query, videos.direction)

    def compare(self, query: Tensor, mixes: Mixes, coefficients: Tensor) -> Tensor:
        """Cosines `(V, N)`: products with the basis, weighted, over the length of the mix."""
        return mixes.cosines(query, coefficients)
