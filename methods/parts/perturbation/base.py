"""The contract of a perturbation and its algebra: a caption as a ball whose radius the video decides.

    S = exp(W c + b)        `Ball.radius`; c are the cosines of the text with the video's frames

T-MASS (Wang et al., "Text Is MASS", CVPR 2024, arXiv 2403.17998, equation 5) and GAID (arXiv 2508.01711)
share the radius, one per channel; the papers call it a (log-)variance, the released code uses it as the
scale. `score` perturbs the texts of every pair, `against` does so by algebra.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from core.batch import Rows
from core.capabilities import Exact, NoiseSource
from core.method import Dimensions
from core.scoring.basis import Mixes
from core.scoring.tiles import blocks
from methods.parts.config import ComposedConfig, Prior
from methods.parts.fusion.base import FusedFrames
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import PERTURBATIONS
from methods.parts.vectors import frame_cosines, unit

Draw = Callable[[int, int], Tensor]
"""Noise of a video and a trial for all texts, `(N, D)` in units of the prior."""

DEVICE_FACTOR = 8
"""How much longer both sides of a tile are on an accelerator."""


def support_text(texts: Tensor, radius: Tensor, anchor: Tensor) -> Tensor:
    """The point of the ball nearest to the video: `t + unit(anchor - t) * radius`, `(N, 1, D)` each."""
    # t_sup = t + S (v - t) / |v - t|
    return texts + unit(anchor - texts) * radius


@dataclass(frozen=True)
class AskedTexts(Rows):
    """What the algebra needs of each text."""

    embeds: Tensor
    """`(N, D)`."""
    directions: Tensor
    """`(N, D)` unit vectors."""
    keys: Tensor
    """`(N,)` int64, of the noise."""
    drawn: Tensor
    """`(N, K, D)` noise that all videos share, std included; `(N, 0, D)` where none is drawn in advance."""


@dataclass(frozen=True)
class MixedVideos:
    """Pooled videos as N texts see them, by algebra."""

    keys: Tensor
    """`(V,)` int64, of the noise."""
    mixes: Mixes
    coefficients: Tensor
    """`(V, C, N)`."""
    frames: FusedFrames
    """For a radius."""


class Perturbation(nn.Module, ABC):
    """What a text becomes before it is compared."""

    seen: bool = False
    """Whether it looks at the frames: its radius is made of cosines with them."""
    chooses: bool = False
    """Whether scoring chooses among points, by the video as the query pools it."""
    prior: Prior = "uniform"
    """The law of its noise."""
    loops: ClassVar[bool] = False
    """Whether `looped` restates the loops of its authors' evaluation."""

    @classmethod
    @abstractmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """The perturbation of a configuration."""

    @abstractmethod
    def draw(self, texts: Tensor, generator: torch.Generator) -> Tensor:
        """Training noise for texts `(N, D)`, `(N, 1, D)`."""

    @abstractmethod
    def within(self, texts: Tensor, frames: Tensor, mask: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Perturbed texts `(N, V|1, D)` in training, and their radius; texts and noise `(N, 1, D)`."""

    @abstractmethod
    def score(
        self,
        texts: Tensor,
        frames: Tensor,
        mask: Tensor,
        draw: Callable[[int], Tensor],
        select: Callable[[Tensor], Tensor],
        final: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Similarities `(N, V)` of texts `(N, 1, D)` with videos of frames `([N,] V, F, D)` under `mask`.

        `draw(trials)` gives noise `(N, V|1, K, D)` in units of the prior, `select` the similarity of a query
        `(N, V|1, D)`, by which the best trial is chosen; `final`, where it differs, the similarity that the
        chosen trial is given (released scoring).
        """

    def floats_per_pair(self, width: int, *, shared: bool) -> int:
        """Size of the noise of a pair, in numbers; `shared`: the videos of a text share it."""
        return 0

    def texts_per_video(self, *, shared: bool) -> int:
        """The shape of the tiles that its algebra scores (`Exact`); `shared`: videos share a text's noise."""
        return Exact.texts_per_video

    def obstacle(self, interaction: Interaction) -> str:
        """Why it has no algebra beside an interaction; empty where it has."""
        return interaction.obstacle

    def drawn(self, texts: Tensor, keys: Tensor, noise: NoiseSource) -> Tensor:
        """The noise `(N, K, D)` of texts `(N, D)` by key that can be drawn before any video is known."""
        return texts[:, None][:, :0]

    @abstractmethod
    def against(
        self, asked: AskedTexts, videos: MixedVideos, interaction: Interaction, noise: NoiseSource
    ) -> Tensor:
        """`score` `(N, V)` by algebra."""

    def chosen_against(
        self, asked: AskedTexts, videos: MixedVideos, finals: Tensor, noise: NoiseSource
    ) -> Tensor:
        """Cosines `(N, V)` of the chosen points with unit vectors `(V, D)`; only for one that `chooses`."""
        raise NotImplementedError(f"{type(self).__name__} chooses nothing")

    def looped(self, texts: Tensor, frames: Tensor, pooled: Tensor, draw: Draw) -> Tensor:
        """Perturbed texts of every pair `(V, N, D)` by the authors' loops, to be timed; only with `loops`.

        Texts `(N, D)`, frames `(V, F, D)`, videos pooled by every text `(V, N, D)`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not restate its authors' loops")


@PERTURBATIONS.kind("none")
class NoPerturbation(Perturbation):
    """Texts as they are."""

    loops = True  # none: the text of every pair is the text

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """Without parameters."""
        return cls()

    def draw(self, texts: Tensor, generator: torch.Generator) -> Tensor:
        """No noise, `(N, 0, D)`."""
        return texts[:, None][:, :0]

    def within(self, texts: Tensor, frames: Tensor, mask: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The texts, and a radius of no channel."""
        return texts, texts[..., :0]

    def score(
        self,
        texts: Tensor,
        frames: Tensor,
        mask: Tensor,
        draw: Callable[[int], Tensor],
        select: Callable[[Tensor], Tensor],
        final: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """The similarity of the texts."""
        return (final or select)(texts)

    def against(
        self, asked: AskedTexts, videos: MixedVideos, interaction: Interaction, noise: NoiseSource
    ) -> Tensor:
        """The interaction's algebra."""
        return interaction.compare(asked.directions, videos.mixes, videos.coefficients).T


@dataclass(frozen=True)
class BallTile:
    """A part of the pairs in which radii of the full width exist."""

    rows: slice
    """Of texts."""
    columns: slice
    """Of videos."""
    basis: Tensor
    """`(v, C, D)` basis vectors of the pooled videos."""
    units: Tensor
    """`(v, C, n)` coefficients of the unit vectors along the pooled videos, zero where one is zero."""
    radius: Tensor
    """`(v, n, D)`; a tile may overwrite it."""


class Ball(Perturbation):
    """A perturbation with a radius."""

    seen = True
    tile: tuple[int, int]
    """Texts x videos of a tile in which a radius of the full width exists: a megabyte or two, measured."""

    def __init__(self, frames: int, width: int, prior: Prior, prior_std: float) -> None:
        super().__init__()
        self.prior = prior
        self.prior_std = prior_std
        self.radius = nn.Linear(frames, width)
        # The first F channels start with the cosine of one frame each, the rest with radius 1, as released.
        nn.init.eye_(self.radius.weight)
        nn.init.zeros_(self.radius.bias)

    def log_radii(self, cosines: Tensor) -> Tensor:
        """`W c + b` `(..., D)` of cosines `(..., F)`."""
        log_radii: Tensor = self.radius(cosines)
        return log_radii

    def radii(self, cosines: Tensor) -> Tensor:
        """`S = exp(W c + b)` `(..., D)` of cosines `(..., F)`; training and both engines share it."""
        return self.log_radii(cosines).exp_()

    def cosines(self, texts: Tensor, frames: Tensor, mask: Tensor) -> Tensor:
        """`(N, V, F)` of texts `(N, D)` with frames `([N,] V, F, D)`; padding counts as 0."""
        # c_f = cos(t, f)
        cosines = frame_cosines(texts[:, None], unit(frames))
        return torch.where(mask, cosines, torch.zeros_like(cosines))

    def draw(self, texts: Tensor, generator: torch.Generator) -> Tensor:
        """One draw per text: U[0, 1), or N(0, prior_std^2)."""
        noise = torch.empty(len(texts), 1, texts.shape[1], dtype=texts.dtype, device=generator.device)
        if self.prior == "uniform":
            noise.uniform_(generator=generator)
        else:
            noise.normal_(std=self.prior_std, generator=generator)
        return noise.to(texts.device)

    def scaled(self, noise: Tensor) -> Tensor:
        """Noise in units of the prior, multiplied by its standard deviation."""
        return noise * self.prior_std if self.prior == "normal" else noise

    def radii_of(self, texts: Tensor, frames: Tensor, mask: Tensor) -> Tensor:
        """Radius `(N, V, D)` of texts `(N, 1, D)` with frames `([N,] V, F, D)`."""
        return self.radii(self.cosines(texts[:, 0], frames, mask))

    def within(self, texts: Tensor, frames: Tensor, mask: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The texts within their radius."""
        radius = self.radii_of(texts, frames, mask)  # (N, V|1, D)
        return self.train_queries(texts, radius, noise), radius

    def paired_radii(self, texts: Tensor, frames: Tensor) -> Tensor:
        """Radii `(N, D)` of texts `(N, D)` with one video's frames `(F, D)`, computed as released.

        The released module repeats each text F times and averages the F equal rows of cosines; so does this.
        """
        repeated = unit(texts)[:, None].repeat(1, len(frames), 1)
        directions = unit(frames).expand(len(texts), -1, -1)
        return self.radii(torch.bmm(repeated, directions.transpose(1, 2)).mean(1))

    @abstractmethod
    def train_queries(self, texts: Tensor, radius: Tensor, noise: Tensor) -> Tensor:
        """Perturbed texts `(N, V|1, D)` in training; texts and noise `(N, 1, D)`, radius `(N, V|1, D)`."""

    def obstacle(self, interaction: Interaction) -> str:
        """The algebra of a perturbed text is that of its cosine."""
        if interaction.obstacle or interaction.is_cosine:
            return interaction.obstacle
        return "a perturbation beside another interaction than the cosine"

    def tiles(self, asked: AskedTexts, videos: MixedVideos) -> Iterator[BallTile]:
        """All pairs, a tile at a time."""
        cosines = videos.frames.cosines(asked.directions)  # (V, F, N)
        # launching a kernel costs more than a small tile of it, so tiles are larger on a GPU
        factor = 1 if cosines.device.type == "cpu" else DEVICE_FACTOR
        depth, width = (factor * side for side in self.tile)
        # p = a E / |a E|
        units = videos.coefficients / videos.mixes.lengths(videos.coefficients)[:, None]
        # where there are few texts a tile takes more videos instead
        width = max(width, depth * width // len(asked))
        for rows in blocks(len(asked), depth):
            for columns in blocks(len(videos.keys), width):
                yield BallTile(
                    rows,
                    columns,
                    videos.mixes.vectors[columns],
                    units[columns, :, rows],
                    self.radii(cosines[columns, :, rows].mT.contiguous()),  # (v, n, D)
                )
