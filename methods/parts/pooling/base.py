"""The contract of a pooling, with its algebra beside it.

`prepare` does what needs no text and can be kept in an index, `forward` adds the text. Frames are `(V, F,
D)`, or `(N, V, F, D)` where each text has its own. The algebra is a `Mixing`: the pooled vector of every pair
as a mix of a few vectors of the video, over frames that no text changes or over those that a gate mixes for
every text.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from torch import Tensor, nn

from core.authors import ClipTextWeights
from core.batch import Rows
from core.errors import BenchError
from core.method import Dimensions
from core.scoring.basis import Mixes
from methods.parts.config import ComposedConfig
from methods.parts.pooled import Pooled

Fused = TypeVar("Fused")
"""Fused frames as the algebra has them (`methods.parts.fusion.base.FusedFrames`)."""


@dataclass(frozen=True)
class Prepared(Rows):
    """A video as pooling sees it before any text; a pooling adds what it computes."""

    frames: Tensor
    """`([N,] V, F, D)` fused frames."""
    mask: Tensor
    """`([N,] V, F)` bool, True for real frames."""

    def paired(self) -> Self:
        """Shared rows as matched pairs: video i becomes text i's only video, `(V, 1, ...)`."""
        return self.map(lambda tensor: tensor[:, None])

    def own(self, texts: Tensor) -> Tensor:
        """Video i as text i of `(B, D)` pools it, `(B, D)`; raises `BenchError` where nobody can say."""
        raise BenchError(
            "this pooling cannot pool matched pairs alone, which interaction=concepts and cdcr train on; "
            "choose pooling=softmax-frames, or one that no text changes"
        )


@dataclass(frozen=True)
class Mixture(Rows):
    """What pooled vectors are mixes of; a pooling adds what decides the coefficients."""

    mixes: Mixes
    """C vectors per video."""


P = TypeVar("P", bound=Prepared)
K = TypeVar("K", bound=Rows)
"""What the fusion's algebra keeps of frames."""
B = TypeVar("B", bound=Mixture)


class Mixing(ABC, Generic[P, K, Fused, B]):
    """A pooling as mixes."""

    @abstractmethod
    def mixture(self, videos: P, frames: K) -> B:
        """What is kept of videos that the modules prepared and whose frames the fusion's algebra kept."""

    def asked(self, texts: Tensor) -> Any:
        """What texts `(N, D)` bring to the pooling: a tensor or record of N rows; nothing by default."""
        return texts[:, :0]

    @abstractmethod
    def mix(self, mixture: B, frames: Fused, asked: Any) -> Tensor:
        """Coefficients `(V, C, N)` of the pooled vectors for texts that bring `asked`."""

    def pooled(self, mixture: B, frames: Fused, asked: Any) -> tuple[Mixes, Tensor]:
        """The pooled vectors: what they are mixes of, and their coefficients `(V, C, N)`."""
        return mixture.mixes, self.mix(mixture, frames, asked)

    def frame_weights(self, mixture: B, frames: Fused, asked: Any) -> Tensor | None:
        """Weight `(V, F, N)` of each frame, summing to 1; None where texts do not weight frames."""
        return None


@dataclass(frozen=True)
class VectorPrepared(Prepared):
    """A video that is pooled already."""

    vector: Tensor
    """`([N,] V, D)`."""

    def own(self, texts: Tensor) -> Tensor:
        """The vector, whatever the text."""
        return self.vector


class VectorMixing(Mixing[VectorPrepared, Rows, Any, Mixture]):
    """One vector per video, whatever the text."""

    def mixture(self, videos: VectorPrepared, frames: Rows) -> Mixture:
        """The vector that the modules made."""
        return one_vector(videos.vector)

    def mix(self, mixture: Mixture, frames: Any, asked: Tensor) -> Tensor:
        """Once that vector."""
        return asked.new_ones(len(mixture), 1, len(asked))


def one_vector(vectors: Tensor) -> Mixture:
    """Videos that are pooled to `vectors` `(V, D)` already."""
    return Mixture(Mixes.of(vectors[:, None]))


class Pooling(nn.Module, ABC, Generic[P]):
    """The contract of a pooling part."""

    text_conditioned: bool = False
    """Whether the pooled vector of a video differs from text to text."""
    in_frames: bool = False
    """Whether all that it computes is in the frames that it returns, for whoever reads frames alone."""
    frame_temperature: float | None = None
    """Temperature of the softmax of inner products that weights the tokens; None: it does no such thing."""

    @classmethod
    @abstractmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """The pooling of a configuration; raises `BenchError` where it does not fit the widths."""

    @abstractmethod
    def prepare(self, frames: Tensor, mask: Tensor) -> P:
        """What can be computed of frames `([N,] V, F, D)` under `mask` `([N,] V, F)` without the text."""

    @abstractmethod
    def forward(self, texts: Tensor, videos: P) -> Pooled:
        """Pools the videos for texts `(N, D)`."""

    def mixing(self, *, waits: bool, moved: bool) -> Mixing[Any, Any, Any, Any] | None:
        """The algebra over still frames, or over frames that wait for the text; None where there is none.

        Where no text is `moved`, no more is asked of a pooled vector than its cosine with the text itself.
        """
        return None

    def initialise_from_clip(self, clip: ClipTextWeights) -> tuple[str, ...]:
        """Copies what the authors copy from CLIP's text tower; returns the names of the parts copied."""
        return ()
