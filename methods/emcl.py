"""EMCL-Net: texts and videos are rebuilt from a few bases before they are compared.

Jin et al., NeurIPS 2022, arXiv 2211.11427, section 3:

    f' = f + transformer(f + p)                       methods/parts/pooling/contextual.py
    v  = sum_f softmax_f(t . f'_f / 3) f'_f           methods/parts/softmax_frames.py: softmax_pooled
    Y  = beta mu z^T + X, mu and z by EM              methods/parts/em.py: reconstructed
    s  = cos(Y_t, Y_v)                                methods/parts/interaction/em.py: EmCosine
    L  = InfoNCE in both directions                   methods/composed.py: loss

The released evaluation runs EM over tiles of 32 texts and 32 videos, so that a score depends on what else is
in its tile (`released`); a leak-free score runs it over the pair.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from core.batch import Texts
from core.capabilities import NoiseSource, ReleasedScorer
from core.method import Dimensions, MethodConfig
from methods.composed import ComposedAuthors, ComposedMethod
from methods.parts.composition import VideoIndex
from methods.parts.config import ComposedConfig, InteractionKind, PoolingKind
from methods.parts.interaction.base import Interaction
from methods.parts.layouts import temporal
from methods.parts.recipes import CLIP4CLIP, DECORD, OPENCV_DIDEMO

BASES = "interaction.bases"
"""Of EM, under our own name."""
TILE = 32
"""Texts, and videos, of a tile of the release."""


class EmclConfig(ComposedConfig):
    """EMCL-Net's defaults."""

    pooling: PoolingKind = "softmax-frames"
    """Frames weighted by the text."""
    interaction: InteractionKind = "em"
    """The cosine of rebuilt vectors."""


class EmclAuthors(ComposedAuthors):
    """EMCL-Net's checkpoints."""

    def config(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Layers, heads and positions; the number of bases is in no key."""
        return temporal(state)

    def load(self, method: ComposedMethod, state: Mapping[str, Tensor]) -> None:
        """The release does not save its bases and starts them anew: the method keeps those that it has."""
        own = method.state_dict()
        kept = {BASES: own[BASES]} if BASES in own else {}
        super().load(method, {**kept, **state})


class TileEm(ReleasedScorer[VideoIndex]):
    """EM over a tile of texts and their pooled videos, in the order of the test set."""

    tile = (TILE, TILE)

    def __init__(self, method: "Emcl", interaction: Interaction) -> None:
        self.method, self.interaction = method, interaction

    def score(self, texts: Texts, index: VideoIndex, pairing: Tensor, noise: NoiseSource) -> Tensor:
        """Scores `(N, V)`, tile by tile."""
        embeds = self.method.embeds(texts)
        rows = []
        for own in embeds.split(TILE):
            tiles = []
            for first in range(0, len(index), TILE):
                # the release runs EM over 32 texts and their 1,024 pooled videos
                pooled = self.method.pooling(own, index.videos[first : first + TILE])
                tiles.append(self.interaction.of_all(own, pooled.vector))
            rows.append(torch.cat(tiles, dim=1))
        return torch.cat(rows)


class Emcl(ComposedMethod):
    """The cosine of vectors that a few bases rebuild."""

    name = "emcl"
    title = "EMCL-Net"
    paper = "Jin et al., EMCL, NeurIPS 2022, arXiv 2211.11427"
    Config = EmclConfig
    recipe: ClassVar[Mapping[str, object]] = {
        **CLIP4CLIP,
        **DECORD,
        **OPENCV_DIDEMO,
        "frames@didemo": 64,
        "text_tokens@didemo": 64,
    }
    authors = EmclAuthors(
        {
            "frame_position_embeddings.": "pooling.frame_positions.",
            "transformerClip.resblocks.": "pooling.transformer.",
            BASES: BASES,
        }
    )

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        if self.interaction.transductive and self.pooling.text_conditioned:
            self.released = TileEm(self, self.interaction)
