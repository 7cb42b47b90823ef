"""DiCoSA: text and video are cut into K concepts, and a small network weighs each concept's cosine.

Jin et al., "Text-Video Retrieval with Disentangled Conceptualization and Set-to-Set Alignment", IJCAI 2023
(arXiv 2305.12218), section 3. With `t_k`, `v_k` the k-th of K slices of width w = D/K,

    weight_k = W2 relu(W1 [t_k; v_k] + b1) + b2,        S = sum_k weight_k cos(t_k, v_k)

The weights are not normalised and may be negative. `v` is pooled by the text
(`methods.parts.softmax_frames`), a mixture of the tokens, so `W1 v` is the same mixture of `W1 tok`, which is
kept per token: no work of D^2/K per pair.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from core.batch import Rows, Texts
from core.errors import BenchError
from core.method import Dimensions
from methods.parts.config import ComposedConfig
from methods.parts.interaction.base import Interaction, TokenAlgebra
from methods.parts.kinds import INTERACTIONS
from methods.parts.pooled import Pooled
from methods.parts.pooling.base import Pooling, Prepared
from methods.parts.sentences import SentenceVectors
from methods.parts.softmax_frames import frame_weights
from methods.parts.vectors import unit


@dataclass(frozen=True)
class ConceptBasis(Rows):
    """What the exact score needs of each video."""

    tokens: Tensor
    """`(V, F, D)`."""
    mask: Tensor
    """`(V, F)` bool."""
    hidden: Tensor
    """`(V, F, K * H)`: `W1` applied to each slice of each token, without the bias."""
    gram: Tensor
    """`(V, K, F, F)` inner products of the tokens' slices."""


@INTERACTIONS.kind("concepts")
class Concepts(Interaction):
    """The network that weighs concepts, and the score."""

    obstacle = "concepts interaction"

    def __init__(
        self, width: int, concepts: int, alpha: float = 0.01, beta: float = 0.005, words: int = 32
    ) -> None:
        super().__init__()
        if width % concepts or width == concepts:
            raise BenchError(
                f"concepts={concepts} does not cut the joint width {width} into slices of two or more; "
                "choose another divisor"
            )
        self.concepts = concepts
        self.alpha, self.beta, self.length = alpha, beta, words
        size = width // concepts
        self.weight_fc = nn.Sequential(nn.Linear(2 * size, 4 * size), nn.ReLU(), nn.Linear(4 * size, 1))

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """K slices; raises `BenchError` where they do not divide the width."""
        decoupled = config.decoupling_alpha, config.decoupling_beta
        return cls(dimensions.width, config.concepts, *decoupled, dimensions.words)

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """Both sides of every concept beside each other, and the hidden layer."""
        return 8 * dimensions.width

    def forward(self, query: Tensor, texts: Texts, videos: Pooled, scale: Tensor) -> Tensor:
        """S `(N, V)`."""
        return self.weighed(query, videos.vector)

    def weighed(self, texts: Tensor, pooled: Tensor) -> Tensor:
        """S `(N, V)` of texts `(N, V|1, D)` and pooled videos `([N,] V, D)`."""
        slices = pooled.unflatten(-1, (self.concepts, -1))  # ([N,] V, K, w)
        own, slices = torch.broadcast_tensors(texts.unflatten(-1, (self.concepts, -1)), slices)
        # weight_k = W2 relu(W1 [t_k; v_k] + b1) + b2
        weights: Tensor = self.weight_fc(torch.cat([own, slices], dim=-1))[..., 0]
        # S = sum_k weight_k cos(t_k, v_k)
        return (weights * (unit(own) * unit(slices)).sum(-1)).sum(-1)

    def terms(
        self, texts: Texts, paired: Callable[[], Prepared], generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Decoupling of texts and their own videos as they pool them."""
        videos = paired()
        embeds = texts.embeds.to(videos.frames.dtype)
        return {
            "decoupling": decoupling(
                embeds, videos.own(embeds), self.concepts, self.alpha, self.beta, self.length
            )
        }

    def token_algebra(self, pooling: Pooling[Any]) -> TokenAlgebra[SentenceVectors, ConceptBasis] | None:
        """W1 per token, after softmax pooling; none after others."""
        temperature = pooling.frame_temperature
        return None if temperature is None else ConceptAlgebra(self, temperature)

    def maps(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """W1's text and video halves `(H, w)`, b1 `(H,)`, W2 `(H,)`, b2 `()`."""
        first, last = (cast(nn.Linear, self.weight_fc[place]) for place in (0, 2))
        # W1 [t_k; v_k] = W1_t t_k + W1_v v_k
        for_text, for_video = first.weight.chunk(2, dim=1)
        return for_text, for_video, first.bias, last.weight[0], last.bias[0]

    def basis(self, tokens: Tensor, mask: Tensor) -> ConceptBasis:
        """The basis of videos with tokens `(V, F, D)`."""
        slices = tokens.unflatten(-1, (self.concepts, -1))  # (V, F, K, w)
        # W1_v tok_k of every token, before any text weights them
        hidden = (slices @ self.maps()[1].T).flatten(2)
        # in float64: the length of a mix of similar tokens is a small number from large ones
        gram = torch.einsum("vfkw,vgkw->vkfg", slices.double(), slices.double()).to(tokens.dtype)
        return ConceptBasis(tokens, mask, hidden, gram)

    def scores(self, texts: Tensor, basis: ConceptBasis, temperature: float) -> Tensor:
        """S `(N, V)` of texts `(N, D)`: `weighed` after softmax pooling, video by video."""
        for_text, _, bias, last, last_bias = self.maps()
        slices = texts.unflatten(-1, (self.concepts, -1))  # (N, K, w)
        text_hidden = (slices @ for_text.T + bias).flatten(1)  # (N, K H)
        directions = unit(slices)
        scores = texts.new_empty(len(texts), len(basis))
        for video in range(len(basis)):
            row = basis[video : video + 1]
            mixture = frame_weights(texts, row.tokens, row.mask, temperature)[:, 0]  # a, (N, F)
            # relu(W1_t t_k + b1 + sum_f a_f W1_v tok_fk)
            hidden = torch.addmm(text_hidden, mixture, row.hidden[0]).relu_()
            weights = hidden.view(len(texts), self.concepts, -1) @ last + last_bias  # (N, K)
            token_slices = row.tokens[0].unflatten(-1, (self.concepts, -1))
            products = torch.einsum("nkw,fkw->nkf", directions, token_slices)
            along = (products * mixture[:, None]).sum(-1)  # t_k . v_k, t_k unit
            squares = torch.einsum("nf,kfg,ng->nk", mixture, row.gram[0], mixture)  # |v_k|^2 = a G a
            # weight_k (t_k . v_k) / |v_k|, t_k being a unit vector
            scores[:, video] = (weights * along / squares.clamp(min=0).sqrt().clamp(min=1e-30)).sum(-1)
        return scores


class ConceptAlgebra(TokenAlgebra[SentenceVectors, ConceptBasis]):
    """All pairs after softmax pooling."""

    def __init__(self, interaction: Concepts, temperature: float) -> None:
        self.interaction, self.temperature = interaction, temperature

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """The hidden layer of one video at a time."""
        return 4 + dimensions.frames

    def kept(self, videos: Prepared) -> ConceptBasis:
        """Tokens and what W1 makes of them."""
        return self.interaction.basis(videos.frames, videos.mask)

    def asked(self, texts: Texts) -> SentenceVectors:
        """The texts."""
        return SentenceVectors(texts.embeds.to(self.interaction.maps()[0].dtype))

    def scores(self, asked: SentenceVectors, kept: ConceptBasis) -> Tensor:
        """S `(N, V)`."""
        return self.interaction.scores(asked.embeds, kept, self.temperature)


def decoupling(texts: Tensor, videos: Tensor, concepts: int, alpha: float, beta: float, words: int) -> Tensor:
    """DiCoSA's loss on matched pairs `(B, D)` each: concept k of the text correlates with concept k alone.

    Every concept is standardised over its w entries; `c_kj` is the batch mean of `sum_w t_k v_j / words`, and
    the loss `alpha sum_k (c_kk - 1)^2 + beta sum_{k != j} c_kj^2`. The release divides by the length of its
    word rows (`words`), where w is surely meant.
    """
    own, other = (
        (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)
        for x in (x.unflatten(-1, (concepts, -1)) for x in (texts, videos))
    )
    # c_kj
    correlation = torch.einsum("bkw,bjw->kj", own, other) / (words * len(texts))
    diagonal = correlation.diagonal()
    off_diagonal = correlation.square().sum() - diagonal.square().sum()
    # alpha sum_k (c_kk - 1)^2 + beta sum_{k != j} c_kj^2
    return alpha * (diagonal - 1).square().sum() + beta * off_diagonal
