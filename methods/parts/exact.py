"""A composition's scores by algebra: each part's stands beside the part, here they run one after the other.

Shapes are `(V, C, N)` for coefficients and `(V, N, D)` for what has the full width, both over the videos
first.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from core.batch import Rows, Texts
from core.capabilities import Exact, NoiseSource
from methods.parts.composition import Composition, VideoIndex
from methods.parts.fusion.base import FrameAlgebra, StillAlgebra
from methods.parts.interaction.base import TokenAlgebra
from methods.parts.perturbation.base import AskedTexts, MixedVideos
from methods.parts.pooling.base import Mixing, Mixture, VectorMixing, one_vector
from methods.parts.vectors import unit


@dataclass(frozen=True)
class ExactIndex(Rows):
    """The basis of each video."""

    keys: Tensor
    """`(V,)` int64, of the noise."""
    frames: Rows
    """How its frames are fused, as the fusion keeps it."""
    pooled: Mixture
    """What its pooled vector is a mix of, as the pooling keeps it."""


@dataclass(frozen=True)
class ExactQueries(Rows):
    """What the algebra needs of each text."""

    texts: AskedTexts
    gate: Tensor
    """`(N, ...)` for the fusion."""
    attention: Any
    """For the pooling: a tensor or record of N rows."""


class ComposedExact(Exact[VideoIndex, ExactQueries, ExactIndex]):
    """The parts' algebra."""

    where = "methods/parts"

    def __init__(
        self, method: Composition, fusion: FrameAlgebra[Any], pooling: Mixing[Any, Any, Any, Any]
    ) -> None:
        self.method, self.fusion, self.pooling = method, fusion, pooling
        self.texts_per_video = method.perturbation.texts_per_video(shared=method.parts.noise != "fresh")

    @property
    def floats_per_pair(self) -> int:
        """Coefficients of the mixes; noise and radii exist for a small tile of pairs at a time."""
        sources = 2 if self.fusion.waits else 1
        return 8 * (sources * self.method.parts.heads * self.method.dimensions.frames + 2)

    def index(self, rows: VideoIndex) -> ExactIndex:
        """The basis of each video."""
        frames = self.frames(rows)
        return ExactIndex(rows.keys, frames, self.pooling.mixture(rows.videos, frames))

    def frames(self, rows: VideoIndex) -> Rows:
        """How the frames of each video are fused."""
        videos, seen = rows.videos, self.method.perturbation.seen
        kept: Rows = self.fusion.frames(videos.frames, rows.audio, videos.mask, seen=seen)
        return kept

    def queries(self, texts: Texts, noise: NoiseSource) -> ExactQueries:
        """What every part needs of the texts."""
        embeds = self.method.embeds(texts)
        drawn = self.method.perturbation.drawn(embeds, texts.keys, noise)
        asked = AskedTexts(embeds, unit(embeds), texts.keys, drawn)
        return ExactQueries(asked, self.fusion.asked(embeds), self.pooling.asked(embeds))

    def pooled(self, asked: ExactQueries, basis: ExactIndex) -> MixedVideos:
        """Every pair's pooled vector, as a mix."""
        # fused frames u_f as shares of picture and sound
        frames = self.fusion.shares(basis.frames, asked.gate)
        # pooled video v = a E: the coefficients a of every pair
        mixes, coefficients = self.pooling.pooled(basis.pooled, frames, asked.attention)  # (V, C, N)
        return MixedVideos(basis.keys, mixes, coefficients, frames)

    def score(self, asked: ExactQueries, basis: ExactIndex, noise: NoiseSource) -> Tensor:
        """Scores `(N, V)`."""
        # s(t, v) of the mixes, by the cosine or of perturbed texts
        method, videos = self.method, self.pooled(asked, basis)
        return method.perturbation.against(asked.texts, videos, method.interaction, noise)

    def chosen_score(self, asked: ExactQueries, basis: ExactIndex, own: Tensor, noise: NoiseSource) -> Tensor:
        """Released scores: of the point that the perturbation chose, with vectors `own` `(V, D)` instead."""
        videos = self.pooled(asked, basis)
        return self.method.perturbation.chosen_against(asked.texts, videos, unit(own), noise)

    def pooled_to(self, rows: VideoIndex, vectors: Tensor) -> ExactIndex:
        """The basis of fused videos that are pooled to `vectors` `(V, D)`; see `exact_of_pooled`."""
        return ExactIndex(rows.keys, self.frames(rows), one_vector(vectors))


class TokenExact(Exact[VideoIndex, Rows, Rows]):
    """The algebra of an interaction over the tokens of videos that no text changes."""

    where = "methods/parts/interaction"

    def __init__(self, method: Composition, algebra: TokenAlgebra[Any, Any]) -> None:
        self.method, self.algebra = method, algebra

    @property
    def floats_per_pair(self) -> int:
        """The algebra's."""
        return self.algebra.floats_per_pair(self.method.dimensions)

    def index(self, rows: VideoIndex) -> Rows:
        """What is kept of each video."""
        kept: Rows = self.algebra.kept(rows.videos)
        return kept

    def queries(self, texts: Texts, noise: NoiseSource) -> Rows:
        """What is needed of each text."""
        asked: Rows = self.algebra.asked(texts)
        return asked

    def score(self, queries: Rows, basis: Rows, noise: NoiseSource) -> Tensor:
        """Scores `(N, V)`."""
        return self.algebra.scores(queries, basis)


class NoExact(Exact[VideoIndex, Rows, Rows]):
    """A composition in which a part has no algebra."""

    floats_per_pair = 1

    def __init__(self, obstacle: str) -> None:
        self.obstacle = obstacle

    def index(self, rows: VideoIndex) -> Rows:
        """Nothing."""
        raise NotImplementedError(self.obstacle)

    def queries(self, texts: Texts, noise: NoiseSource) -> Rows:
        """Nothing."""
        raise NotImplementedError(self.obstacle)

    def score(self, queries: Rows, basis: Rows, noise: NoiseSource) -> Tensor:
        """Nothing."""
        raise NotImplementedError(self.obstacle)


def exact_of(method: Composition) -> ComposedExact | TokenExact | NoExact:
    """The algebra of a composition, or the part that has none."""
    parts, fusion = method.parts, method.fusion.algebra
    tokens = method.interaction.token_algebra(method.pooling)
    # an interaction of single tokens needs no pooled vector, and no text may change its frames
    if tokens is not None and not method.fusion.text_dependent and parts.perturbation == "none":
        return TokenExact(method, tokens)
    if fusion is None:
        return NoExact(f"{parts.fusion} fusion")
    pooling = method.pooling.mixing(waits=fusion.waits, moved=parts.perturbation != "none")
    if pooling is None:
        return NoExact(f"{parts.pooling} pooling{' of frames that the text fuses' if fusion.waits else ''}")
    obstacle = method.perturbation.obstacle(method.interaction)
    return NoExact(obstacle) if obstacle else ComposedExact(method, fusion, pooling)


def exact_of_fused(method: Composition) -> ComposedExact | None:
    """The algebra of a composition over videos that are fused already; None where a part has none."""
    pooling = method.pooling.mixing(waits=False, moved=True)
    if pooling is None or method.perturbation.obstacle(method.interaction):
        return None
    return ComposedExact(method, StillAlgebra(), pooling)


def exact_of_pooled(method: Composition) -> ComposedExact | None:
    """The algebra over videos that are fused and pooled already; None where the perturbation has none."""
    if method.perturbation.obstacle(method.interaction):
        return None
    return ComposedExact(method, StillAlgebra(), VectorMixing())
