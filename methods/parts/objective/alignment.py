"""SAVE's alignment of sound with the picture under a frozen teacher ("soft-ALBEF", arXiv 2603.08224).

Rows of two similarity matrices become distributions, which should correlate:

    L = mean_i (1 - pearson(softmax(5 R)_i, softmax(5 T)_i)) + the same of the transposed matrices
"""

import torch
from torch import Tensor

from methods.parts.vectors import unit

SCALE = 5.0
"""Sharpness of both softmaxes."""


def audio_visual_similarities(frames: Tensor, sounds: Tensor) -> Tensor:
    """R `(B, B)` of frames `(B, F, D)` in rows, tokens of sound `(B, Q, D)` in columns; plain means."""
    # R_ij = unit(mean_f unit(x_i)) . unit(mean_q unit(q_j)), padded frames included as released
    return unit(unit(frames).mean(1)) @ unit(unit(sounds).mean(1)).T


def teacher_similarities(teacher: Tensor) -> Tensor:
    """T `(B, B)` of a teacher's picture and sound `(B, 2, E)`; 0 where it knows nothing."""
    picture, sound = unit(teacher).unbind(1)
    return picture @ sound.T


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Correlation of the rows of `(B, C)`, `(B,)`; 0 for a constant row (NaN in the release)."""
    # cov(a, b) / (sigma_a sigma_b), in which the number of columns cancels
    a, b = (x - x.mean(-1, keepdim=True) for x in (a, b))
    norms = torch.linalg.vector_norm(a, dim=-1) * torch.linalg.vector_norm(b, dim=-1)
    return (a * b).sum(-1) / torch.where(norms > 0, norms, torch.ones_like(norms))


def alignment_loss(ours: Tensor, teacher: Tensor, audible: Tensor, scale: float = SCALE) -> Tensor:
    """The loss of similarities `(B, B)`, pictures in rows, sounds in columns, among `audible` `(B,)` clips.

    0 where fewer than two clips are audible: there is nothing to correlate (NaN in the release).
    """
    if int(audible.sum()) < 2:
        return ours.sum() * 0.0
    # a silent clip has no column: its similarity with a picture means nothing
    own, other = (x[audible][:, audible] * scale for x in (ours, teacher))
    directions = ((own, other), (own.T, other.T))
    return torch.stack([(1 - pearson(a.softmax(1), b.softmax(1))).mean() for a, b in directions]).sum()
