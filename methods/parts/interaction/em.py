"""The cosine of vectors that EMCL rebuilds from a few bases (`methods.parts.em` has the equations).

In training EM runs over the batch's texts and all its pooled videos, as released, and moves the first bases;
a score runs it over the pair alone, so that it depends on nothing else.
"""

from typing import Self

import torch
from torch import Tensor

from core.batch import Texts
from core.method import Dimensions
from methods.parts.config import ComposedConfig
from methods.parts.em import EmSettings, distinct_bases, moved_bases, pair_cosines, reconstructed
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import INTERACTIONS
from methods.parts.pooled import Pooled
from methods.parts.vectors import unit


@INTERACTIONS.kind("em")
class EmCosine(Interaction):
    """`cos(Y_t, Y_v)`."""

    sentence = False
    transductive = True
    obstacle = "em interaction"
    bases: Tensor

    def __init__(self, bases: int, settings: EmSettings, momentum: float) -> None:
        super().__init__()
        self.settings, self.momentum = settings, momentum
        # The release normalises one number per base, which leaves its sign. In memory even where weights are
        # built without: how many signs there are decides what a pair costs.
        self.register_buffer("bases", torch.randn(1, bases, device="cpu").sign())

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """K bases of random sign."""
        settings = EmSettings(config.em_stages, config.em_temperature, config.em_share)
        return cls(config.bases, settings, config.em_momentum)

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """Both vectors, their responsibilities, and what is rebuilt."""
        return dimensions.width * (8 + 3 * len(self.bases.unique()))

    def forward(self, query: Tensor, texts: Texts, videos: Pooled, scale: Tensor) -> Tensor:
        """Cosines `(N, V)`: of one EM over all in training, of one per pair otherwise."""
        vectors = videos.vector.expand(len(query), *videos.vector.shape[-2:])
        if self.training:
            return self.of_all(query[:, 0], vectors, move=True)
        # (N, V, 2, D): EM sees the pair and nothing else
        both = torch.stack([vectors, query.expand_as(vectors)], dim=2)
        return pair_cosines(both, distinct_bases(self.bases), self.settings)

    def of_all(self, texts: Tensor, vectors: Tensor, *, move: bool = False) -> Tensor:
        """Cosines of texts `(N, D)` and pooled videos `(N, V, D)` with one EM over all of them."""
        bases = distinct_bases(self.bases)
        # one EM over the batch's pooled videos and its texts, as released
        rebuilt, mu = reconstructed(torch.cat([vectors.flatten(0, 1), texts]), bases, self.settings)
        if move:
            self.bases.copy_(moved_bases(bases, mu, self.momentum))
        own, other = rebuilt[-len(texts) :], rebuilt[: -len(texts)].view_as(vectors)
        # cos(Y_t, Y_v)
        return (unit(other) * unit(own)[:, None]).sum(-1)
