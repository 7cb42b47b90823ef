"""STP: the best of K random points of the text's ball (T-MASS, arXiv 2403.17998, section 3.2).

    t' = t + x S        equation 4, x drawn anew: `stochastic_text`
    score = max over K draws of cos(t', v)      `StochasticText.score`

By algebra the cosine of a random point needs `x . (S p)`, `2 x . (t S)` and `x^2 . S^2` (p is the direction
of the pooled video): products of matrices where the videos share x, so that no point is ever built
(`shared_trials`). Where every pair has a draw of its own, building its points takes less than those products
(`own_trials`); most of the time goes into drawing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from core.capabilities import NoiseSource
from core.method import Dimensions
from core.scoring.tiles import blocks
from methods.parts.config import ComposedConfig, Prior
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import PERTURBATIONS
from methods.parts.perturbation.base import AskedTexts, Ball, BallTile, Draw, MixedVideos
from methods.parts.vectors import safe_norm, unit

OWN_PAIRS = 128
"""Pairs whose own noise exists at a time: 5 MB of 20 points of 512 numbers; larger blocks gain nothing."""


def stochastic_text(texts: Tensor, radius: Tensor, noise: Tensor) -> Tensor:
    """`t + noise * radius`, all broadcast to one shape, e.g. `(N, V|1, D)`."""
    # t + x S
    return torch.addcmul(texts, noise, radius)


@dataclass(frozen=True)
class SharedNoise:
    """What K points of each of N texts bring to every video: computed once per block of texts."""

    texts: Tensor
    """`t`, `(N, D)`."""
    noise: Tensor
    """`x`, `(N, K, D)`."""
    crossed: Tensor
    """`2 x t`, `(N, K, D)`."""
    squared: Tensor
    """`x^2`, `(N, K, D)`."""
    lengths: Tensor
    """`|t|^2`, `(N, 1, 1)`."""

    @classmethod
    def of(cls, texts: Tensor, noise: Tensor) -> Self:
        """Of texts `(N, D)` and noise `(N, K, D)`."""
        crossed = noise * (2 * texts)[:, None]
        return cls(texts, noise, crossed, noise.square(), texts.square().sum(-1)[:, None, None])


def shared_trials(asked: SharedNoise, radius: Tensor, directions: Tensor) -> Tensor:
    """Best cosine `(V, N)` of K points per pair whose noise all videos share.

    Radius and unit directions `(V, N, D)`; both are overwritten, for a tile of them is as large as the cache.
    """
    by_text = (1, 2, 0)  # (V, N, D) as (N, D, V)
    # (t + x S) . p = t . p + x . (S p)
    still = torch.bmm(asked.texts[:, None], directions.permute(by_text))
    products = torch.baddbmm(still, asked.noise, directions.mul_(radius).permute(by_text))  # (N, K, V)
    # |t + x S|^2 = |t|^2 + 2 (x t) . S + x^2 . S^2
    squares = torch.baddbmm(asked.lengths, asked.crossed, radius.permute(by_text))
    squares = squares.baddbmm_(asked.squared, radius.square_().permute(by_text))
    return best_cosines(products, squares, dim=1).T


def best_cosines(products: Tensor, squares: Tensor, dim: int) -> Tensor:
    """The largest of products with unit vectors over lengths, whose `squares` are overwritten."""
    # a sum of squares that rounding moved below 0
    tiny = torch.finfo(squares.dtype).tiny
    return (products * squares.clamp_(min=tiny).rsqrt_()).amax(dim)


def own_trials(texts: Tensor, noise: Tensor, radius: Tensor, directions: Tensor) -> Tensor:
    """Best cosine `(V, N)` of K points per pair, whose noise is its own.

    Texts `(N, D)`, noise `(N, V, K, D)`, radius and unit directions `(V, N, D)`.
    """
    points, lengths = own_points(texts, noise, radius)
    # max over k of (t + x_k S) . p / |t + x_k S|
    return (point_products(points, directions) / lengths).amax(-1).T


def own_points(texts: Tensor, noise: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """K points per pair `(N, V, K, D)`, and their lengths `(N, V, K)`.

    Texts `(N, D)`, noise `(N, V|1, K, D)`, radius `(V, N, D)`.
    """
    points = stochastic_text(texts[:, None, None], radius.transpose(0, 1)[:, :, None], noise)
    return points, safe_norm(points)[..., 0]


def point_products(points: Tensor, directions: Tensor) -> Tensor:
    """Inner products `(N, V, K)` of the points of each pair `(N, V, K, D)` with its vector `(V, N, D)`."""
    # a row times a matrix, for a matrix times a column takes several times as long
    return torch.matmul(directions.transpose(0, 1)[:, :, None], points.mT)[:, :, 0]


@PERTURBATIONS.kind("stp")
class StochasticText(Ball):
    """The best of K random points per pair."""

    tile = (16, 64)
    chooses = True
    loops = True

    def __init__(self, frames: int, width: int, prior: Prior, prior_std: float, trials: int) -> None:
        super().__init__(frames, width, prior, prior_std)
        self.trials = trials

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """With the configuration's prior and number of points."""
        return cls(dimensions.frames, dimensions.width, config.prior, config.prior_std, config.trials)

    def train_queries(self, texts: Tensor, radius: Tensor, noise: Tensor) -> Tensor:
        """One random point."""
        return stochastic_text(texts, radius, noise)

    def score(
        self,
        texts: Tensor,
        frames: Tensor,
        mask: Tensor,
        draw: Callable[[int], Tensor],
        select: Callable[[Tensor], Tensor],
        final: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Running maximum over the trials; the first of equal trials wins."""
        noise, radius = draw(self.trials), self.radii_of(texts, frames, mask)
        best, scores = torch.empty(()), torch.empty(())
        for trial in range(self.trials):
            query = stochastic_text(texts, radius, self.scaled(noise[:, :, trial].to(texts)))
            chosen = select(query)
            own = chosen if final is None else final(query)
            if trial == 0:
                best, scores = chosen, own
                continue
            # strictly better: of equal trials the first wins
            scores = torch.where(chosen > best, own, scores)
            best = torch.maximum(chosen, best)
        return scores

    def floats_per_pair(self, width: int, *, shared: bool) -> int:
        """K points of the full width; where the videos share them, they are the text's and not a pair's."""
        return 0 if shared else self.trials * width

    def texts_per_video(self, *, shared: bool) -> int:
        """Its points are matrices per text, as wide as a tile has videos."""
        return 1 if shared else super().texts_per_video(shared=shared)

    def drawn(self, texts: Tensor, keys: Tensor, noise: NoiseSource) -> Tensor:
        """K points per text where the videos share them."""
        return (
            self.points(texts, keys, keys[:0], noise)[:, 0]
            if noise.shared
            else super().drawn(texts, keys, noise)
        )

    def points(self, texts: Tensor, keys: Tensor, videos: Tensor, noise: NoiseSource) -> Tensor:
        """Noise `(N, V|1, K, D)`, std included, of texts `(N, D)` by key with videos `(V,)` by key."""
        return self.scaled(noise.draw(keys, videos, self.trials, texts.shape[1], self.prior).to(texts))

    def own_blocks(
        self, asked: AskedTexts, keys: Tensor, noise: NoiseSource
    ) -> Iterator[tuple[slice, Tensor]]:
        """Parts of a tile's videos by key, with the noise `(N, V|1, K, D)` of their pairs."""
        for part in blocks(len(keys), max(1, OWN_PAIRS // len(asked))):
            if noise.shared:
                yield part, asked.drawn[:, None]
            else:
                yield part, self.points(asked.embeds, asked.keys, keys[part], noise)

    def against(
        self, asked: AskedTexts, videos: MixedVideos, interaction: Interaction, noise: NoiseSource
    ) -> Tensor:
        """The best cosine of K points per pair."""
        out = asked.embeds.new_empty(len(asked), len(videos.keys))
        shared: SharedNoise | None = None
        for tile in self.tiles(asked, videos):
            texts, directions = asked[tile.rows], pooled_directions(tile)
            # max over k of (t + x_k S) . p / |t + x_k S|
            if noise.shared:
                if shared is None or tile.columns.start == 0:  # the videos of a block of texts follow it
                    shared = SharedNoise.of(texts.embeds, texts.drawn)
                best = shared_trials(shared, tile.radius, directions)
            else:
                best = tile.radius.new_empty(tile.radius.shape[:2])
                for part, drawn in self.own_blocks(texts, videos.keys[tile.columns], noise):
                    best[part] = own_trials(texts.embeds, drawn, tile.radius[part], directions[part])
            out[tile.rows, tile.columns] = best.T
        return out

    def chosen_against(
        self, asked: AskedTexts, videos: MixedVideos, finals: Tensor, noise: NoiseSource
    ) -> Tensor:
        """Released: the point nearest to the video, compared with unit vectors `finals` `(V, D)` instead.

        The first of equal points is chosen.
        """
        out = asked.embeds.new_empty(len(asked), len(videos.keys))
        for tile in self.tiles(asked, videos):
            texts, directions = asked[tile.rows], pooled_directions(tile)
            for part, drawn in self.own_blocks(texts, videos.keys[tile.columns], noise):
                points, lengths = own_points(texts.embeds, drawn, tile.radius[part])
                # chosen by the video as the query pools it ...
                cosines = point_products(points, directions[part]) / lengths  # (n, v, K)
                chosen = cosines.argmax(-1, keepdim=True)
                points = points.take_along_dim(chosen[..., None], 2)[:, :, 0]  # (n, v, D)
                # ... and scored by the video as its own caption pooled it
                products = (points * finals[tile.columns][part]).sum(-1)
                best = products / lengths.take_along_dim(chosen, 2)[..., 0]
                out[tile.rows, tile.columns][:, part] = best
        return out

    def looped(self, texts: Tensor, frames: Tensor, pooled: Tensor, draw: Draw) -> Tensor:
        """Two loops, over videos and trials; the first of equal trials wins.

        The radius is computed anew in every trial, and the winners are picked one text at a time.
        """
        best = []
        for video, clip in enumerate(frames):
            candidates = [
                stochastic_text(texts, self.paired_radii(texts, clip), self.scaled(draw(video, trial)))
                for trial in range(self.trials)
            ]
            trials = torch.stack(candidates)
            winners = (unit(trials) * unit(pooled[video])).sum(-1).argmax(0)
            best.append(torch.stack([trials[winner, text] for text, winner in enumerate(winners.tolist())]))
        return torch.stack(best)


def pooled_directions(tile: BallTile) -> Tensor:
    """Unit vectors `(v, n, D)` of the pooled videos of a tile, zero where one is zero."""
    return torch.bmm(tile.units.mT, tile.basis)
