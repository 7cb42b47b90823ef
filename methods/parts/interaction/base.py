"""The contract of an interaction: from a text and what pooling made of a video to one number.

`forward` is the formula, for texts and videos that may be pairs (`(N, V, ...)`) or shared (`(N, 1, ...)`,
`(V, ...)`). `compare` is its algebra: the same number for a video that is known as a mix of a few vectors.
"""

from abc import ABC, abstractmethod
from typing import Self

from torch import Tensor, nn

from core.batch import Texts
from core.method import Dimensions
from core.scoring.basis import Mixes
from methods.parts.config import ComposedConfig
from methods.parts.pooled import Pooled


class Interaction(nn.Module, ABC):
    """Similarity of texts and pooled videos."""

    words: bool = False
    """Whether it reads `Texts.words`."""
    obstacle: str = ""
    """Why it has no algebra, e.g. "wti interaction"; empty where `compare` computes what `forward` does."""

    is_cosine: bool = False
    """Whether it is the cosine with the pooled vector, which perturbed texts have algebra for."""

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """The interaction of a configuration."""
        return cls()

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """Size of the largest tensor of `forward`, in numbers per (text, video) pair."""
        return 1

    @abstractmethod
    def forward(self, query: Tensor, texts: Texts, videos: Pooled, scale: Tensor) -> Tensor:
        """Similarities `(N, V)`, divided by `scale` = exp(logit_scale).

        `query` `(N, V|1, D)` is the sentence as the perturbation left it; `texts` are the N texts as they
        came, with their words.
        """

    def compare(self, query: Tensor, mixes: Mixes, coefficients: Tensor) -> Tensor:
        """`forward` `(V, N)` by algebra, for unit vectors `query` `(N, D)`; only without an `obstacle`.

        The pooled videos are mixes with coefficients `(V, C, N)`.
        """
        raise NotImplementedError(self.obstacle)
