"""TEFAL, reconstructed: the text attends the frames and the sound separately, and both are added.

Ibrahimi et al., ICCV 2023, arXiv 2307.12964. Neither code nor formulas are public; the abstract names two
independent cross-modal attention blocks, text to picture and text to sound. All else is ours:

    p = pool_v(t, frames) + pool_a(t, W_a sound)     two of X-Pool's blocks, own weights; no sound, no summand
    s = cos(t, p)                                    methods/parts/pooling/text_conditioned.py
    L = InfoNCE in both directions

By algebra each pooled vector is a mix of a few vectors of the video, and their sum a mix of both lots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from core.axes import InProtocol
from core.batch import Rows, Texts, Videos
from core.capabilities import Exact, NoiseSource
from core.errors import BenchError
from core.method import Dimensions, Losses, Method, MethodConfig, Needs
from core.scoring.basis import Mixes
from methods.parts.audio import AudioProjection, frame_audio
from methods.parts.config import Count
from methods.parts.fusion.base import StillAlgebra
from methods.parts.modalities import has_sound
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.pooling.attention import AttendedPrepared
from methods.parts.pooling.text_conditioned import TextConditionedPooling
from methods.parts.vectors import unit


class TefalConfig(MethodConfig):
    """Our reconstruction's defaults, X-Pool's."""

    heads: Count = 1
    """Attention heads of both blocks."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Dropout of both blocks' linear branch."""
    audio_alignment: Annotated[Literal["clip", "released"], InProtocol("audio_alignment")] = "clip"
    """Averages of the sound cover what each frame covers, or equal shares of all states."""


@dataclass(frozen=True)
class TwoSources(Rows):
    """What is kept of each video."""

    picture: AttendedPrepared
    sound: AttendedPrepared
    audible: Tensor
    """`(V,)` 1 with sound, 0 without."""


@dataclass(frozen=True)
class TwoMixtures(Rows):
    """The basis of both blocks."""

    picture: Any
    sound: Any
    mixes: Mixes
    """Vectors of both."""
    audible: Tensor
    """`(V,)`."""


@dataclass(frozen=True)
class AskedTwice(Rows):
    """What texts bring to both blocks."""

    directions: Tensor
    """`(N, D)` unit."""
    picture: Tensor
    sound: Tensor


class TwoExact(Exact[TwoSources, AskedTwice, TwoMixtures]):
    """X-Pool's algebra, twice."""

    where = "methods/parts/pooling/attended.py"

    def __init__(self, method: "Tefal") -> None:
        self.method = method
        self.blocks = [pooling.mixing(waits=False, moved=True) for pooling in (method.picture, method.sound)]

    @property
    def floats_per_pair(self) -> int:
        """Coefficients of both mixes."""
        return 16 * (self.method.settings.heads * self.method.dimensions.frames + 2)

    def index(self, rows: TwoSources) -> TwoMixtures:
        """Both bases."""
        algebra = StillAlgebra()
        parts = []
        for block, videos in zip(self.blocks, (rows.picture, rows.sound), strict=True):
            still = algebra.frames(videos.frames, None, videos.mask, seen=False)
            parts.append(block.mixture(videos, still))
        picture, sound = parts
        # p = a E_v + b E_a is one mix of both bases
        vectors = torch.cat([picture.mixes.vectors, sound.mixes.vectors], dim=1)
        return TwoMixtures(picture, sound, Mixes.of(vectors), rows.audible)

    def queries(self, texts: Texts, noise: NoiseSource) -> AskedTwice:
        """Directions and both queries."""
        embeds = self.method.embeds(texts)
        return AskedTwice(unit(embeds), *(block.asked(embeds) for block in self.blocks))

    def score(self, queries: AskedTwice, basis: TwoMixtures, noise: NoiseSource) -> Tensor:
        """Cosines `(N, V)`."""
        seen = self.blocks[0].mix(basis.picture, None, queries.picture)
        # a silent clip adds nothing of its sound
        heard_too = self.blocks[1].mix(basis.sound, None, queries.sound) * basis.audible[:, None, None]
        return basis.mixes.cosines(queries.directions, torch.cat([seen, heard_too], dim=1)).T


class Tefal(Method[TwoSources]):
    """The cosine of the text with what it attends in picture and in sound."""

    name = "tefal"
    title = "TEFAL (reconstruction)"
    paper = "Ibrahimi et al., TEFAL, ICCV 2023, arXiv 2307.12964; reconstructed from its abstract"
    Config = TefalConfig
    recipe: ClassVar[Mapping[str, object]] = {
        "training.optimizer": "adamw",
        "training.lr_new": 1e-5,
        "training.lr_clip": 1e-6,
        "training.batch_size": 32,
        "training.epochs": 5,
    }

    def __init__(self, config: TefalConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        if dimensions.audio_width is None:
            raise BenchError("tefal needs sound, this run has none; choose an audio encoder")
        self.settings = config
        self.picture = TextConditionedPooling(dimensions.width, config.heads, config.dropout)
        self.sound = TextConditionedPooling(dimensions.width, config.heads, config.dropout)
        self.projection = AudioProjection("linear", dimensions.audio_width, dimensions.width, "zeros")
        self.needs = Needs(sound=True)
        self.exact = TwoExact(self)

    def embeds(self, texts: Texts) -> Tensor:
        """Texts `(N, D)` in the method's precision."""
        return texts.embeds.to(self.logit_scale.dtype)

    def index(self, videos: Videos) -> TwoSources:
        """Frames and the sound beside them, with what texts will attend."""
        dtype, mask = self.logit_scale.dtype, videos.frame_mask
        sound = frame_audio(videos, self.settings.audio_alignment).to(dtype)
        projected = self.projection(sound, videos.has_audio, mask)
        return TwoSources(
            self.picture.prepare(videos.frames.to(dtype), mask),
            self.sound.prepare(projected, mask),
            has_sound(videos).to(dtype),
        )

    def score(self, texts: Texts, index: TwoSources, noise: NoiseSource) -> Tensor:
        """Cosines `(N, V)`."""
        return self.cosines(self.embeds(texts), index)

    def cosines(self, embeds: Tensor, index: TwoSources) -> Tensor:
        """Cosines `(N, V)` of texts `(N, D)`."""
        # p = pool_v(t, frames) + pool_a(t, W_a sound)
        seen = self.picture(embeds, index.picture).vector
        heard_too = self.sound(embeds, index.sound).vector * index.audible[:, None]
        return torch.einsum("nd,nvd->nv", unit(embeds), unit(seen + heard_too))

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """InfoNCE."""
        scores = self.cosines(self.embeds(texts), self.index(videos))
        total = symmetric_infonce(self.logit_scale.exp() * scores)
        return Losses(total, {"main": total.detach()})
