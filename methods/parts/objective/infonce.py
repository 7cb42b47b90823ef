"""InfoNCE on logits `(B, B)` of matched pairs: text i belongs to video i."""

import torch
from torch import Tensor

from methods.parts.config import LossWeights


def pair_losses(logits: Tensor) -> Tensor:
    """Both directions of InfoNCE per pair: `(B, B)` -> `(B,)`."""
    # -(log softmax_j s_ij + log softmax_i s_ij) / 2 at i = j
    return -(logits.log_softmax(1).diagonal() + logits.log_softmax(0).diagonal()) / 2


def symmetric_infonce(logits: Tensor) -> Tensor:
    """Mean over pairs and directions of the cross entropy (CLIP; CLIP4Clip equation 6)."""
    return pair_losses(logits).mean()


def weighted_infonce(logits: Tensor, weights: Tensor) -> Tensor:
    """InfoNCE with one weight per pair, `(B,)` of sum 1."""
    return (weights * pair_losses(logits)).sum()


@torch.no_grad()
def pair_weights(similarities: Tensor, kind: LossWeights) -> Tensor:
    """Weight of each pair `(B,)`, of sum 1 and without gradient, from cosines `(B, B)`.

    `uniform` is the paper's plain InfoNCE. The released GAID weights each pair by its own positive cosine
    over their sum (`positive-cosine-released`), which turns negative and explodes where cosines are
    near zero; `positive-cosine` clamps them at 0 (uniform where none is positive).
    """
    cosines = similarities.diagonal()
    if kind == "positive-cosine-released":
        # w_i = c_ii / sum_j c_jj
        return cosines / cosines.sum()
    positive = cosines.clamp(min=0)
    if kind == "uniform" or not bool(positive.any()):
        return torch.full_like(cosines, 1 / len(cosines))
    return positive / positive.sum()
