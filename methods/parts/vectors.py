"""Directions, cosines and masked means that never turn a zero vector into NaN."""

import torch
from torch import Tensor


def safe_norm(x: Tensor) -> Tensor:
    """Length of vectors `(..., D)` -> `(..., 1)`; 1 for a zero vector, so that it can be divided by."""
    # filled and not clamped, so that a zero vector has a finite gradient
    norm: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return norm.masked_fill(norm == 0, 1.0)


def unit(x: Tensor) -> Tensor:
    """`x / ||x||` over the last axis; a zero vector stays zero and gets a finite gradient.

    The released code of CLIP4Clip, X-Pool, T-MASS, AVIGATE and GAID divides without a guard (NaN for a
    zero vector); for every other vector this is the same number.
    """
    return x / safe_norm(x)


def frame_cosines(query: Tensor, directions: Tensor) -> Tensor:
    """Cosine of each query with every frame.

    `query` `(N, V, D)` or `(N, 1, D)`, unit `directions` `(N, V, F, D)` or `(V, F, D)`; returns `(N, V, F)`.
    """
    videos = "nvfd" if directions.dim() == 4 else "vfd"
    if query.shape[1] == 1:
        return torch.einsum(f"nd,{videos}->nvf", unit(query[:, 0]), directions)
    return torch.einsum(f"nvd,{videos}->nvf", query, directions) / safe_norm(query)


def vector_cosines(query: Tensor, directions: Tensor) -> Tensor:
    """Cosine of each query with one vector per video.

    `query` `(N, V, D)` or `(N, 1, D)`, unit `directions` `(N, V, D)` or `(V, D)`; returns `(N, V)`.
    """
    videos = "nvd" if directions.dim() == 3 else "vd"
    if query.shape[1] == 1:
        return torch.einsum(f"nd,{videos}->nv", unit(query[:, 0]), directions)
    return torch.einsum(f"nvd,{videos}->nv", query, directions) / safe_norm(query)[..., 0]


def masked_mean(frames: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real frames, `(..., F, D)` under `mask` `(..., F)` bool -> `(..., D)`.

    Padding frames never enter, whatever they hold; no real frame at all gives the zero vector.
    """
    # selected and not multiplied: 0 times NaN is NaN
    kept = torch.where(mask[..., None], frames, torch.zeros_like(frames[..., :1, :1]))
    return kept.sum(-2) / mask.sum(-1, keepdim=True).clamp(min=1)
