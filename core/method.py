"""The contract of a method, and the registry that finds methods.

A method turns encoded texts and videos into similarities. Texts stand in rows and videos in
columns, `(N, V)`, everywhere. A score of (text, video) may depend on that text and that video,
never on which caption the video was stored with; `released_score` is the one place where the
pairing enters, and there it is an argument.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn

from core.batch import Rows, Texts, Videos
from core.config import METHOD_GROUP
from core.config import MethodConfig as MethodConfig
from core.errors import BenchError, unknown_name

ENTRY_POINT_GROUP = METHOD_GROUP


@dataclass(frozen=True)
class Dimensions:
    """The shapes that the backbones dictate to a method."""

    width: int
    """D, the joint embedding width of the CLIP towers."""
    frames: int
    """F, frames per video."""
    audio_width: int | None = None
    """Da, width of the audio encoder's states; None where the run has no sound."""


class NoiseSource(Protocol):
    """Where the noise of stochastic perturbations comes from at scoring time."""

    @property
    def shared(self) -> bool:
        """Whether all videos of a text share its draw; `draw` then asks nothing of the videos."""
        ...

    def draw(self, texts: Tensor, videos: Tensor, trials: int, width: int, prior: str) -> Tensor:
        """Noise for texts `(N,)` by key against videos `(V,)` by key.

        `prior` is "uniform" (U[0, 1)) or "normal" (N(0, 1); the method multiplies by its std).
        Returns `(N, V, trials, width)`, or `(N, 1, trials, width)` where videos share the draw.
        """
        ...


@dataclass(frozen=True)
class Losses:
    """The terms of a training loss."""

    total: Tensor
    """Scalar to be minimised, gradients attached."""
    terms: Mapping[str, Tensor]
    """Named scalars that the log shows, unweighted."""


@dataclass(frozen=True)
class ClipTextWeights:
    """The CLIP text transformer's weights, from which temporal transformers are initialised."""

    blocks: tuple[Mapping[str, Tensor], ...]
    """Per layer, open_clip's names: `ln_1`, `attn` (packed in-projection), `ln_2`, `mlp.c_fc|c_proj`."""
    positions: Tensor
    """`(context, D)` positional table."""
    heads: int
    """Attention heads of each block."""


class Method(nn.Module, ABC):
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
    """Training defaults of the authors as dotted spec keys, e.g. `{"training.optimizer": "bertadam"}`."""
    dataset_defaults: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """What the authors set per data set, as dotted spec keys by the data set's name."""

    own_caption_scoring: bool = False
    """Whether the authors' evaluation pools or gates each video with its own caption."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__()
        self.config = config
        self.dimensions = dimensions
        self.logit_scale = nn.Parameter(torch.tensor(4.6052))  # ln(100), CLIP's trained value
        """Scalar, stored as a logarithm as in CLIP."""

    @property
    def uses_audio(self) -> bool:
        """Whether scores depend on sound under this configuration."""
        return False

    @property
    def uses_patches(self) -> bool:
        """Whether it needs `Videos.patches`."""
        return False

    @property
    def uses_video_captions(self) -> bool:
        """Whether it makes use of `Videos.captions`."""
        return False

    @property
    def gate_axis(self) -> Literal["frame", "layer"]:
        """What the second axis of `gates` counts."""
        return "frame"

    @property
    def floats_per_pair(self) -> int:
        """Size of the largest tensor that `score` makes, in numbers per (text, video) pair."""
        return self.dimensions.frames * self.dimensions.width

    @abstractmethod
    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """Training loss of a batch of matched pairs: text i belongs to video i."""

    @abstractmethod
    def index(self, videos: Videos) -> Rows:
        """Query-independent precomputation per video; sliceable by rows. Sees no text."""

    @abstractmethod
    def score(self, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        """Leak-free similarities `(N, V)`, divided by exp(logit_scale) (cosines where it has them)."""

    def released_score(self, texts: Texts, index: Rows, pairing: Tensor, noise: NoiseSource) -> Tensor:
        """Similarities `(N, V)` as the authors' released evaluation computes them.

        `pairing` `(N,)` int64 names each text's own video, which a leak-free score must not know; a number
        outside `0 .. V - 1` is a video that is not among these. Methods whose released evaluation is clean
        inherit this default.
        """
        return self.score(texts, index, noise)

    @property
    def exact_obstacle(self) -> str:
        """Why scores cannot be had by algebra under this configuration; empty where they can."""
        return "no algebra for this method"

    @property
    def exact_floats_per_pair(self) -> int:
        """Size of all temporaries of `exact_score` together, in numbers per (text, video) pair."""
        return self.floats_per_pair

    def exact_index(self, rows: Rows) -> Rows:
        """The basis of each video of an index, from which `exact_score` computes what `score` does."""
        raise NotImplementedError(self.exact_obstacle)

    def exact_queries(self, texts: Texts, noise: NoiseSource) -> Rows:
        """What `exact_score` needs of texts `(N,)`, whatever the videos; noise that videos share included."""
        raise NotImplementedError(self.exact_obstacle)

    def exact_score(self, queries: Rows, basis: Rows, noise: NoiseSource) -> Tensor:
        """`score` of queries `(N,)` against V bases: the same real numbers, without work of width D^2."""
        raise NotImplementedError(self.exact_obstacle)

    def exact_released_score(self, texts: Texts, index: Rows, pairing: Tensor, noise: NoiseSource) -> Tensor:
        """`released_score` by algebra."""
        raise NotImplementedError(self.exact_obstacle)

    def gates(self, texts: Texts, videos: Videos) -> Tensor | None:
        """Audio weight per frame `(B, F)` (or per layer) of matched pairs; None without a gate."""
        return None

    def initialise_from_clip(self, clip: ClipTextWeights) -> None:
        """Copies what the authors copy from the CLIP text transformer; nothing by default."""

    def rate_group(self, parameter: str) -> str:
        """The learning-rate group of a parameter of the method: `clip`, `new` or a named one."""
        return "clip" if parameter == "logit_scale" else "new"

    @classmethod
    def reference_config(cls, state: Mapping[str, Tensor]) -> Mapping[str, str]:
        """Values of `Config` that the authors' key names in a checkpoint decide; none by default."""
        return {}

    @classmethod
    def reference_audio_width(cls, state: Mapping[str, Tensor]) -> int | None:
        """Width of the audio states that a checkpoint was trained on; None where it does not tell."""
        return None

    @abstractmethod
    def load_reference(self, state: Mapping[str, Tensor]) -> None:
        """Loads weights under the authors' key names.

        Raises `BenchError` naming unknown or missing keys; known dead keys are listed and skipped.
        """


@cache
def registered_methods() -> Mapping[str, type[Method]]:
    """Every method by name: the modules of the folder `methods/`, then installed entry points."""
    found: dict[str, type[Method]] = {}
    package = importlib.import_module("methods")
    modules = [
        importlib.import_module(f"methods.{m.name}")
        for m in pkgutil.iter_modules(package.__path__)
        if not m.ispkg
    ]
    candidates = [
        value
        for module in modules
        for value in vars(module).values()
        if getattr(value, "__module__", "") == module.__name__
    ]
    candidates += [load_plug_in(point) for point in entry_points(group=ENTRY_POINT_GROUP)]
    for candidate in candidates:
        if not (isinstance(candidate, type) and issubclass(candidate, Method) and "name" in vars(candidate)):
            continue
        if candidate.name in found:
            raise BenchError(
                f"two methods are called '{candidate.name}': {found[candidate.name]!r} and {candidate!r}"
            )
        found[candidate.name] = candidate
    return found


def load_plug_in(point: EntryPoint) -> type[Method]:
    """The method that an installed package offers; raises `BenchError` where it is none."""
    package = point.dist.name if point.dist else point.value
    try:
        found = point.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise BenchError(
            f"the method '{point.name}' of {package} cannot be loaded ({error}); mend or uninstall it"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Method) and "name" in vars(found)):
        raise BenchError(
            f"'{point.name}' of {package} is {point.value}, no method with a name; mend or uninstall it"
        )
    return found


def find_method(name: str) -> type[Method]:
    """The method of that name; raises `BenchError` with the nearest right name."""
    methods = registered_methods()
    if name not in methods:
        raise unknown_name("method", name, methods)
    return methods[name]
