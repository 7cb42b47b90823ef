"""The contract of an interaction: from a text and what pooling made of a video to one number.

`forward` is the formula, for texts and videos that may be pairs (`(N, V, ...)`) or shared (`(N, 1, ...)`,
`(V, ...)`). `compare` is its algebra: the same number for a video that is known as a mix of a few vectors.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor, nn

from core.batch import Rows, Texts
from core.errors import BenchError
from core.method import Dimensions
from core.scoring.basis import Mixes
from methods.parts.config import ComposedConfig
from methods.parts.pooled import Pooled
from methods.parts.pooling.base import Pooling, Prepared

Asked = TypeVar("Asked", bound=Rows)
Kept = TypeVar("Kept", bound=Rows)


def words_of(texts: Texts) -> tuple[Tensor, Tensor]:
    """Words `(N, L, D)` and their mask; raises `BenchError` for texts that were encoded without."""
    if texts.words is None or texts.word_mask is None:
        raise BenchError("this interaction reads the words of texts, and these were encoded without")
    return texts.words, texts.word_mask


class TokenAlgebra(ABC, Generic[Asked, Kept]):
    """All-pairs scores of texts and of videos that no text changes."""

    @abstractmethod
    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """Size of all temporaries of `scores`, in numbers per (text, video) pair."""

    @abstractmethod
    def kept(self, videos: Prepared) -> Kept:
        """What is kept of each video."""

    @abstractmethod
    def asked(self, texts: Texts) -> Asked:
        """What is needed of each text."""

    @abstractmethod
    def scores(self, asked: Asked, kept: Kept) -> Tensor:
        """Similarities `(N, V)`."""


class Interaction(nn.Module, ABC):
    """Similarity of texts and pooled videos."""

    words: bool = False
    """Whether it reads `Texts.words`."""
    obstacle: str = ""
    """Why it has no algebra, e.g. "wti interaction"; empty where `compare` computes what `forward` does."""

    sentence: bool = True
    """Whether it compares one vector of the text, which a perturbation can move."""
    pooled: bool = True
    """Whether it reads the pooled vector of a video; else its frames alone."""
    transductive: bool = False
    """Whether its release compares texts and videos a whole tile at a time, by `of_all`."""
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

    def of_all(self, texts: Tensor, vectors: Tensor) -> Tensor:
        """Similarities `(N, V)` of texts `(N, D)` and pooled videos `(N, V, D)` that depend on all of them.

        Only for one that is `transductive`.
        """
        raise NotImplementedError(f"{type(self).__name__} compares a pair at a time")

    def terms(
        self, texts: Texts, paired: Callable[[], Prepared], generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Objective terms of matched pairs by name; the configuration has a weight for each.

        `paired` fuses each video with its own text: whoever has no terms does not pay for it.
        """
        return {}

    def token_algebra(self, pooling: Pooling[Any]) -> TokenAlgebra[Any, Any] | None:
        """Its algebra over the tokens of videos that no text changes; None where it has none."""
        return None

    def compare(self, query: Tensor, mixes: Mixes, coefficients: Tensor) -> Tensor:
        """`forward` `(V, N)` by algebra, for unit vectors `query` `(N, D)`; only without an `obstacle`.

        The pooled videos are mixes with coefficients `(V, C, N)`.
        """
        raise NotImplementedError(self.obstacle)
