"""STP: the best of K random points of the text's ball (T-MASS, arXiv 2403.17998, section 3.2).

    t' = t + x S        equation 4, x drawn anew: `stochastic_text`
    score = max over K draws of cos(t', v)      `StochasticText.score`

By algebra the cosine of a random point needs `x . (S p)`, `2 x . (t S)` and `x^2 . S^2` (p is the direction
of the pooled video), so that no point is ever built: products of matrices where the videos share x
(`shared_trials`), of a matrix and a few vectors where every pair has a draw of its own (`own_trials`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from core.capabilities import NoiseSource
from core.method import Dimensions
from methods.parts.config import ComposedConfig, Prior
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import PERTURBATIONS
from methods.parts.perturbation.base import AskedTexts, Ball, BallTile, Draw, MixedVideos
from methods.parts.vectors import safe_norm, unit


def stochastic_text(texts: Tensor, radius: Tensor, noise: Tensor) -> Tensor:
    """`t + noise * radius`, all broadcast to `(N, V|1, D)`."""
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
    """Best cosine `(N,)` of K points of each text for one video.

    Noise `(N, K, D)`; texts, radius and unit directions `(N, D)`.
    """
    # (t + x S) . p = t . p + x . (S p) and 2 (x t) . S = x . (2 t S): both products of x
    both = torch.bmm(noise, torch.stack([radius * directions, 2 * texts * radius], dim=1).mT)  # (N, K, 2)
    products = both[..., 0] + (texts * directions).sum(-1, keepdim=True)
    # |t + x S|^2 = |t|^2 + 2 (x t) . S + x^2 . S^2
    squares = torch.bmm(noise.square(), radius.square()[..., None])[..., 0]
    return best_cosines(products, squares + both[..., 1] + texts.square().sum(-1, keepdim=True), dim=-1)


def own_points(texts: Tensor, noise: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """K points of each text for one video, `(N, K, D)`, and their lengths `(N, K)`.

    Noise `(N, K, D)`; texts and radius `(N, D)`.
    """
    points = stochastic_text(texts[:, None], radius[:, None], noise)
    return points, safe_norm(points)[..., 0]


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
        """K points of the full width, which the videos of a tile have in common where they share them."""
        return self.trials * width // (self.tile[1] if shared else 1)

    def drawn(self, texts: Tensor, keys: Tensor, noise: NoiseSource) -> Tensor:
        """K points per text where the videos share them."""
        return (
            self.points(texts, keys, keys[:0], noise) if noise.shared else super().drawn(texts, keys, noise)
        )

    def points(self, texts: Tensor, keys: Tensor, video: Tensor, noise: NoiseSource) -> Tensor:
        """Noise `(N, K, D)`, std included, of texts `(N, D)` by key with one video by key, or with all."""
        drawn = noise.draw(keys, video, self.trials, texts.shape[1], self.prior)
        return self.scaled(drawn[:, 0].to(texts))

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
                for video, key in enumerate(videos.keys[tile.columns].split(1)):
                    drawn = self.points(texts.embeds, texts.keys, key, noise)
                    best[video] = own_trials(texts.embeds, drawn, tile.radius[video], directions[video])
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
            for video, key in enumerate(videos.keys[tile.columns].split(1)):
                drawn = texts.drawn if noise.shared else self.points(texts.embeds, texts.keys, key, noise)
                points, lengths = own_points(texts.embeds, drawn, tile.radius[video])
                # chosen by the video as the query pools it ...
                cosines = (points * directions[video][:, None]).sum(-1) / lengths  # (n, K)
                chosen, column = cosines.argmax(-1, keepdim=True), tile.columns.start + video
                # ... and scored by the video as its own caption pooled it
                out[tile.rows, column] = ((points @ finals[column]) / lengths).gather(-1, chosen)[:, 0]
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
    # p = a E / |a E|
    scaled = tile.coefficients / tile.mixes.lengths(tile.coefficients)[:, None]
    return torch.bmm(scaled.mT, tile.mixes.vectors)
