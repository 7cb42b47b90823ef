"""Poolings whose frames have attended each other: DRL's tokens, EMCL's and DiCoSA's softmax over them.

tok = f + transformer(f + p)                     methods/parts/pooling/sequence_transformer.py
v   = mean of the directions of tok              `contextual` (DRL)
a_f = softmax_f(t . tok_f / temperature) m_f,  v = sum_f a_f tok_f
                                                 `softmax-frames` (EMCL, arXiv 2211.11427; DiCoSA, 2305.12218)
"""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from core.batch import Rows
from core.method import Dimensions
from core.scoring.basis import Mixes, shared_products
from methods.parts.config import ComposedConfig
from methods.parts.kinds import POOLINGS
from methods.parts.pooled import Pooled
from methods.parts.pooling.base import Mixing, Mixture, Prepared, VectorPrepared
from methods.parts.pooling.mean import mean_of_directions
from methods.parts.pooling.sequence_transformer import SequenceTransformerPooling
from methods.parts.softmax_frames import softmax_pooled


@POOLINGS.kind("contextual")
class ContextualPooling(SequenceTransformerPooling):
    """The mean direction of contextual frames, which interactions see instead of the raw ones."""

    in_frames = True

    def prepare(self, frames: Tensor, mask: Tensor) -> VectorPrepared:
        """Contextual frames and their mean direction."""
        tokens = self.tokens(frames, mask)
        return VectorPrepared(tokens, mask, mean_of_directions(tokens, mask))


@dataclass(frozen=True)
class SoftmaxPrepared(Prepared):
    """Tokens that a text will weight."""

    sharpness: Tensor
    """`([N,] V)` one over the temperature."""

    def own(self, texts: Tensor) -> Tensor:
        """Video i as text i of `(B, D)` pools it, `(B, D)`."""
        # a_f = softmax_f(t . tok_f / temperature) of the one text that belongs to each video
        products = torch.einsum("bd,bfd->bf", texts, self.frames) * self.sharpness[:, None]
        return torch.einsum("bf,bfd->bd", products.softmax(-1) * self.mask, self.frames)


@dataclass(frozen=True)
class SoftmaxMixture(Mixture):
    """Tokens that a softmax weights."""

    tokens: Tensor
    """`(V, F, D)`."""
    mask: Tensor
    """`(V, F)` bool."""


class SoftmaxMixing(Mixing[Prepared, Rows, Any, SoftmaxMixture]):
    """A mix of the tokens."""

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def mixture(self, videos: Prepared, frames: Rows) -> SoftmaxMixture:
        """The tokens."""
        return SoftmaxMixture(Mixes.of(videos.frames), videos.frames, videos.mask)

    def asked(self, texts: Tensor) -> Tensor:
        """The texts."""
        return texts

    def mix(self, mixture: SoftmaxMixture, frames: Any, asked: Tensor) -> Tensor:
        """Weights `(V, F, N)`."""
        products = shared_products(mixture.tokens, asked) / self.temperature
        # masked behind the softmax, as in the release; the cosine does not see the missing weight
        weights: Tensor = torch.softmax(products, dim=1) * mixture.mask[..., None]
        return weights


@POOLINGS.kind("softmax-frames")
class SoftmaxFramesPooling(SequenceTransformerPooling):
    """Contextual frames weighted by the text."""

    text_conditioned = True

    def __init__(self, width: int, layers: int, heads: int, positions: int, temperature: float) -> None:
        super().__init__(width, layers, heads, positions)
        self.frame_temperature = self.temperature = temperature

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """With the configuration's temperature; see `SequenceTransformerPooling.build`."""
        return cls(*cls.sizes(config, dimensions), config.frame_temperature)

    def prepare(self, frames: Tensor, mask: Tensor) -> SoftmaxPrepared:  # type: ignore[override]
        """Contextual frames."""
        # a tensor, so that rows can be sliced and paired like the rest
        sharpness = frames.new_full(frames.shape[:-2], 1 / self.temperature)
        return SoftmaxPrepared(self.tokens(frames, mask), mask, sharpness)

    def forward(self, texts: Tensor, videos: Prepared) -> Pooled:
        """Pooled vectors `(N, V, D)`."""
        vector = softmax_pooled(texts, videos.frames, videos.mask, self.temperature)
        return Pooled(vector, videos.frames, videos.mask)

    def mixing(self, *, waits: bool, moved: bool) -> Mixing[Any, Any, Any, Any] | None:
        """A mix of the tokens; none where the transformer would run for every text."""
        return None if waits else SoftmaxMixing(self.temperature)
