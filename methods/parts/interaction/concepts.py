"""DiCoSA: text and video are cut into K concepts, and a small network weighs each concept's cosine.

Jin et al., "Text-Video Retrieval with Disentangled Conceptualization and Set-to-Set Alignment", IJCAI 2023
(arXiv 2305.12218), section 3. With `t_k`, `v_k` the k-th of K slices of width w = D/K,

    weight_k = W2 relu(W1 [t_k; v_k] + b1) + b2,        S = sum_k weight_k cos(t_k, v_k)

The weights are not normalised and may be negative. `v` is pooled by the text
(`methods.parts.softmax_frames`), a mixture of the tokens, so `W1 v` is the same mixture of `W1 tok`, which is
kept per token: no work of D^2/K per pair.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.batch import Rows
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


class ConceptWeights(nn.Module):
    """The network that weighs concepts, and the score."""

    def __init__(self, width: int, concepts: int) -> None:
        super().__init__()
        self.concepts = concepts
        size = width // concepts
        self.weight_fc = nn.Sequential(nn.Linear(2 * size, 4 * size), nn.ReLU(), nn.Linear(4 * size, 1))

    def forward(self, texts: Tensor, pooled: Tensor) -> Tensor:
        """S `(N, V)` of texts `(N, D)` and pooled videos `(N, V, D)`."""
        slices = pooled.unflatten(-1, (self.concepts, -1))  # (N, V, K, w)
        own = texts.unflatten(-1, (self.concepts, -1))[:, None].expand_as(slices)
        weights: Tensor = self.weight_fc(torch.cat([own, slices], dim=-1))[..., 0]
        return (weights * (unit(own) * unit(slices)).sum(-1)).sum(-1)

    def maps(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """W1's text and video halves `(H, w)`, b1 `(H,)`, W2 `(H,)`, b2 `()`."""
        first, last = self.weight_fc[0], self.weight_fc[2]
        assert isinstance(first, nn.Linear)
        assert isinstance(last, nn.Linear)
        for_text, for_video = first.weight.chunk(2, dim=1)
        return for_text, for_video, first.bias, last.weight[0], last.bias[0]

    def basis(self, tokens: Tensor, mask: Tensor) -> ConceptBasis:
        """The basis of videos with tokens `(V, F, D)`."""
        slices = tokens.unflatten(-1, (self.concepts, -1))  # (V, F, K, w)
        hidden = (slices @ self.maps()[1].T).flatten(2)
        gram = torch.einsum("vfkw,vgkw->vkfg", slices.double(), slices.double()).to(tokens.dtype)
        return ConceptBasis(tokens, mask, hidden, gram)

    def scores(self, texts: Tensor, basis: ConceptBasis, temperature: float) -> Tensor:
        """S `(N, V)` of texts `(N, D)`: `forward` after softmax pooling, video by video."""
        for_text, _, bias, last, last_bias = self.maps()
        slices = texts.unflatten(-1, (self.concepts, -1))  # (N, K, w)
        text_hidden = (slices @ for_text.T + bias).flatten(1)  # (N, K H)
        directions = unit(slices)
        scores = texts.new_empty(len(texts), len(basis))
        for video in range(len(basis)):
            row = basis[video : video + 1]
            mixture = frame_weights(texts, row.tokens, row.mask, temperature)[:, 0]  # a, (N, F)
            hidden = torch.addmm(text_hidden, mixture, row.hidden[0]).relu_()
            weights = hidden.view(len(texts), self.concepts, -1) @ last + last_bias  # (N, K)
            token_slices = row.tokens[0].unflatten(-1, (self.concepts, -1))
            products = torch.einsum("nkw,fkw->nkf", directions, token_slices)
            along = (products * mixture[:, None]).sum(-1)  # t_k . v_k, t_k unit
            squares = torch.einsum("nf,kfg,ng->nk", mixture, row.gram[0], mixture)  # |v_k|^2 = a G a
            scores[:, video] = (weights * along / squares.clamp(min=0).sqrt().clamp(min=1e-30)).sum(-1)
        return scores


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
    correlation = torch.einsum("bkw,bjw->kj", own, other) / (words * len(texts))
    diagonal = correlation.diagonal()
    off_diagonal = correlation.square().sum() - diagonal.square().sum()
    return alpha * (diagonal - 1).square().sum() + beta * off_diagonal
