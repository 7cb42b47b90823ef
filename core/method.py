"""The contract of a method, ten names; what it may offer beyond them is in `core.capabilities`.

A method turns encoded texts and videos into similarities. Texts stand in rows and videos in
columns, `(N, V)`, everywhere. A score of (text, video) may depend on that text and that video,
never on which caption the video was stored with; the capability `released` is the one place where the
pairing enters, and there it is an argument.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

import torch
from torch import Tensor, nn

from core.authors import Authors
from core.batch import Texts, Videos
from core.capabilities import Candidates, Exact, Gate, Index, Moments, ReleasedScorer, Timed
from core.capabilities import NoiseSource as NoiseSource
from core.config import MethodConfig as MethodConfig
from core.errors import BenchError
from core.plugin_errors import blamed, in_words


@dataclass(frozen=True)
class Dimensions:
    """The shapes that the backbones dictate to a method."""

    width: int
    """D, the joint embedding width of the CLIP towers."""
    frames: int
    """F, frames per video."""
    audio_width: int | None = None
    """Da, width of the audio encoder's states; None where the run has no sound."""
    words: int = 77
    """L, positions of a caption's token row, padding included; CLIP's context unless the run reads fewer."""


@dataclass(frozen=True)
class Needs:
    """What a method reads under its configuration, and how much memory a pair takes."""

    sound: bool = False
    """`Videos.audio`; scores depend on it."""
    patches: bool = False
    """`Videos.patches`."""
    words: bool = False
    """`Texts.words`."""
    video_captions: bool = False
    """`Videos.captions`, where there are any."""
    speech: bool = False
    """`Videos.speech`; a data set without transcripts has rows of padding there."""
    teacher: bool = False
    """`Videos.teacher` in training, where a file is named."""
    gallery: bool = False
    """Scores depend on the gallery, as a softmax over its videos does: all of it is indexed and scored at
    once, and the protocol says so. Order, keys, other queries and the pairing change nothing even then."""
    floats_per_pair: int | None = None
    """Size of the largest tensor that `score` makes, in numbers per (text, video) pair; None: F x D."""


@dataclass(frozen=True)
class Losses:
    """The terms of a training loss."""

    total: Tensor
    """Scalar to be minimised, gradients attached."""
    terms: Mapping[str, Tensor]
    """Named scalars that the log shows, unweighted."""


class Method(nn.Module, ABC, Generic[Index]):
    """Base of every method. A subclass in `methods/` (or an entry point) is found by the registry."""

    name: ClassVar[str]
    """Name on the command line."""
    title: ClassVar[str]
    """Name in tables."""
    paper: ClassVar[str]
    """Reference: authors, venue, arXiv number."""
    Config: ClassVar[type[MethodConfig]]
    """Its configuration, defaults included."""
    recipe: ClassVar[Mapping[str, object]] = {}
    """The authors' training defaults by dotted key, `{"training.optimizer": "bertadam"}`; a key that
    ends in `@DATASET` holds on that data set only, `{"training.lr_new@msrvtt": 3e-5}`."""
    needs: Needs = Needs()
    """What it reads; set in `__init__` where the configuration decides."""

    exact: Exact | None = None
    """Scores by algebra."""
    released: ReleasedScorer | None = None
    """The authors' scoring, where it differs from `score`."""
    gate: Gate | None = None
    """Weights of the sound."""
    authors: ClassVar[Authors | None] = None
    """Layout of the authors' checkpoints."""
    candidates: Candidates | None = None
    """Vectors for search."""
    moments: Moments | None = None
    """Where in a video a score comes from."""
    timed: Timed | None = None
    """Arithmetic and loops of `bench time`."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__()
        self.config = config
        self.dimensions = dimensions
        self.logit_scale = nn.Parameter(torch.tensor(4.6052))  # ln(100), CLIP's trained value
        """Scalar, stored as a logarithm as in CLIP."""

    @abstractmethod
    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """Training loss of a batch of matched pairs: text i belongs to video i."""

    @abstractmethod
    def index(self, videos: Videos) -> Index:
        """Query-independent precomputation per video; sliceable by rows. Sees no text."""

    @abstractmethod
    def score(self, texts: Texts, index: Index, noise: NoiseSource) -> Tensor:
        """Leak-free similarities `(N, V)`, divided by exp(logit_scale) (cosines where it has them)."""


def made(cls: type[Method], config: Mapping[str, Any], dimensions: Dimensions) -> Method:
    """A method with fresh weights; what its own code raises is a `PluginError`.

    Raises `BenchError` for values that its configuration does not take.
    """
    with blamed(cls, "building it", in_words(dimensions)):
        return cls(cls.Config(**config), dimensions)


def check_losses(method: Method, losses: object) -> Losses:
    """What `loss` has returned; raises `BenchError` unless it is a record with a scalar total."""
    if not isinstance(losses, Losses):
        raise BenchError(
            f"{method.name}: loss returns {type(losses).__name__}; return core.method.Losses(total, terms)"
        )
    if not isinstance(losses.total, Tensor) or losses.total.dim():
        shape = tuple(losses.total.shape) if isinstance(losses.total, Tensor) else type(losses.total).__name__
        raise BenchError(f"{method.name}: the total of its loss is {shape}; it must be a scalar tensor")
    return losses
