"""The contract of a fusion, with its algebra beside it.

`encode` does what needs no text, `fuse` the rest. `frames` and `shares` are the algebra: how the fused frames
of a video are made of a few vectors, and with which shares for a text. Two forms exist: frames that no text
changes (`StillFrames`), and frames that a gate mixes of picture and sound anew for every text.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

from torch import Tensor, nn

from core.authors import ClipTextWeights
from core.batch import Rows, Videos
from core.errors import BenchError
from core.method import Dimensions
from core.scoring.basis import shared_products
from methods.parts.config import ComposedConfig
from methods.parts.kinds import FUSIONS
from methods.parts.vectors import unit

Kept = TypeVar("Kept", bound=Rows)
"""What the algebra keeps of each video's frames."""


class FusedFrames(ABC):
    """The fused frames of V videos as N texts see them, never built."""

    @abstractmethod
    def cosines(self, directions: Tensor) -> Tensor:
        """Cosines `(V, F, N)` of unit vectors `(N, D)` with the frames, 0 for padding."""

    @property
    def sound(self) -> Tensor | None:
        """Weight `(V, F, N)` of the sound in each frame; None where no text decides it."""
        return None


class FrameAlgebra(ABC, Generic[Kept]):
    """Fused frames as mixes."""

    waits: bool
    """Whether frames are mixed anew for every text."""

    @abstractmethod
    def frames(self, frames: Tensor, audio: Tensor | None, mask: Tensor, *, seen: bool) -> Kept:
        """What is kept of frames and sound `(V, F, D)` under `mask`; `seen`: cosines will be asked."""

    def asked(self, texts: Tensor) -> Tensor:
        """What texts `(N, D)` bring to the fusion, `(N, ...)`; nothing by default."""
        return texts[:, :0]

    @abstractmethod
    def shares(self, kept: Kept, asked: Tensor) -> FusedFrames:
        """The fused frames for texts that bring `asked`."""


@dataclass(frozen=True)
class StillFrames(Rows, FusedFrames):
    """Frames that no text changes."""

    directions: Tensor
    """`(V, F, D)` unit frames, zero for padding; `(V, 0, D)` where nobody asks for cosines."""

    def cosines(self, directions: Tensor) -> Tensor:
        """One product of two matrices."""
        return shared_products(self.directions, directions)


class StillAlgebra(FrameAlgebra[StillFrames]):
    """The frames as they are."""

    waits = False

    def frames(self, frames: Tensor, audio: Tensor | None, mask: Tensor, *, seen: bool) -> StillFrames:
        """Directions, where cosines will be asked."""
        # nobody asks for cosines without a radius: then there is nothing to keep
        return StillFrames(unit(frames) * mask[..., None] if seen else frames[:, :0].clone())

    def shares(self, kept: StillFrames, asked: Tensor) -> StillFrames:
        """The same frames whatever the text."""
        return kept


class Fusion(nn.Module, ABC):
    """What makes fused frames out of frames, sound and, for some, a text."""

    sound: ClassVar[bool] = True
    """Whether it reads the sound."""
    speech: ClassVar[bool] = False
    """Whether it reads what is said."""
    text_dependent: bool = False
    """Whether fused frames differ from text to text."""
    gate_axis: ClassVar[Literal["frame", "layer"] | None] = None
    """What the second axis of `gates` counts; None where there is no gate."""

    @classmethod
    @abstractmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """The fusion of a configuration; raises `BenchError` where it needs sound and the run has none."""

    @property
    def algebra(self) -> FrameAlgebra[Any] | None:
        """The fused frames as mixes; None where they are none, as under a gate per element."""
        return None if self.text_dependent else StillAlgebra()

    @abstractmethod
    def encode(self, videos: Videos) -> tuple[Tensor, Tensor | None]:
        """What needs no text: frames `(V, F, D)`, and sound `(V, F, D)` if a gate waits for the text."""

    def fuse(self, texts: Tensor, frames: Tensor, audio: Tensor, mask: Tensor) -> Tensor:
        """Fused frames for texts `(N, D)`: `(N, V, F, D)`.

        Frames and audio are those of `encode`, `(V, F, D)` for all pairs or `(N, 1, F, D)` for text i with
        video i; mask likewise. Only for a fusion that depends on text.
        """
        raise NotImplementedError(f"{type(self).__name__} is finished by encode")

    def visual(self, frames: Tensor) -> Tensor:
        """Frames `(V, F, D)` as they enter the fusion, before any sound."""
        return frames

    def gates(self, texts: Tensor, videos: Videos) -> Tensor:
        """Audio weights of matched pairs `(B, F)` or `(B, layers)`; only where there is a `gate_axis`."""
        raise NotImplementedError(f"{type(self).__name__} has no gate")

    def terms(self, videos: Videos) -> Mapping[str, Tensor]:
        """Objective terms of a batch by name; the configuration has a weight for each."""
        return {}

    def initialise_from_clip(self, clip: ClipTextWeights) -> tuple[str, ...]:
        """Copies what the authors copy from CLIP's text tower; returns the names of the parts copied."""
        return ()


def required_audio_width(dimensions: Dimensions, part: str, without: str) -> int:
    """Da; raises `BenchError` where a part needs sound and the run has none."""
    if dimensions.audio_width is None:
        raise BenchError(f"{part} needs sound, this run has none; choose {without} or an audio encoder")
    return dimensions.audio_width


@FUSIONS.kind("none")
class NoFusion(Fusion):
    """Picture only."""

    sound = False

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """Without parameters."""
        return cls()

    def encode(self, videos: Videos) -> tuple[Tensor, Tensor | None]:
        """The frames."""
        return videos.frames, None
