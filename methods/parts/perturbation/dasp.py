"""DASP: noise and a fixed step blended by a learned alpha; no noise in scoring (GAID, arXiv 2508.01711, 3.3).

t' = t + (alpha x + 1 - alpha) S        equation 3, in training: `blended_text`
t' = t + alpha S                        equation 4, in scoring: `deterministic_text`
"""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from core.capabilities import NoiseSource
from core.method import Dimensions
from methods.parts.config import ComposedConfig, Prior
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import PERTURBATIONS
from methods.parts.perturbation.base import AskedTexts, Ball, Draw, MixedVideos
from methods.parts.vectors import safe_norm


def blended_text(texts: Tensor, radius: Tensor, noise: Tensor, alpha: Tensor) -> Tensor:
    """`t + (alpha noise + 1 - alpha) radius`."""
    # t + (alpha x + 1 - alpha) S
    return texts + (alpha * noise + 1 - alpha) * radius


def deterministic_text(texts: Tensor, radius: Tensor, alpha: Tensor) -> Tensor:
    """`t + alpha radius`; both engines share it."""
    # t + alpha S
    return torch.addcmul(texts, radius, alpha)


@PERTURBATIONS.kind("dasp")
class DeterministicText(Ball):
    """A blend in training, a fixed step in scoring."""

    tile = (256, 2)
    loops = True

    def __init__(self, frames: int, width: int, prior: Prior, prior_std: float, alpha: float) -> None:
        super().__init__(frames, width, prior, prior_std)
        self.alpha = nn.Parameter(torch.tensor(alpha))

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """With the configuration's prior and initial alpha."""
        return cls(dimensions.frames, dimensions.width, config.prior, config.prior_std, config.alpha)

    def train_queries(self, texts: Tensor, radius: Tensor, noise: Tensor) -> Tensor:
        """The blended point."""
        return blended_text(texts, radius, noise, self.alpha)

    def scoring_query(self, texts: Tensor, radius: Tensor) -> Tensor:
        """The fixed point; texts `(N, 1, D)`, radius `(N, V|1, D)`, or `(N, D)` and `(V, N, D)`."""
        return deterministic_text(texts, radius, self.alpha)

    def score(
        self,
        texts: Tensor,
        frames: Tensor,
        mask: Tensor,
        draw: Callable[[int], Tensor],
        select: Callable[[Tensor], Tensor],
        final: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """The similarity of one fixed point."""
        return (final or select)(self.scoring_query(texts, self.radii_of(texts, frames, mask)))

    def against(
        self, asked: AskedTexts, videos: MixedVideos, interaction: Interaction, noise: NoiseSource
    ) -> Tensor:
        """The cosine of `t + alpha S` with the mix: its product with the basis, over both lengths."""
        out = asked.embeds.new_empty(len(asked), len(videos.keys))
        for tile in self.tiles(asked, videos):
            shifted = self.scoring_query(asked.embeds[tile.rows], tile.radius)  # (v, n, D)
            # t' . p = sum_c a_c (t' . e_c) with p = v / |v|
            products = torch.bmm(tile.basis, shifted.mT).mul_(tile.units).sum(1)
            out[tile.rows, tile.columns] = (products / safe_norm(shifted)[..., 0]).T
        return out

    def looped(self, texts: Tensor, frames: Tensor, pooled: Tensor, draw: Draw) -> Tensor:
        """One video after the other."""
        return torch.stack([self.scoring_query(texts, self.paired_radii(texts, clip)) for clip in frames])
