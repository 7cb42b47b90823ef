"""Directions, cosines and masked means that never turn a zero vector into NaN."""

import torch
from torch import Tensor


def unit(x: Tensor) -> Tensor:
    """`x / ||x||` over the last axis; a zero vector stays zero and gets a finite gradient.

    The released code of CLIP4Clip, X-Pool, T-MASS, AVIGATE and GAID divides without a guard (NaN for a
    zero vector); for every other vector this is the same number.
    """
    norm: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / norm.masked_fill(norm == 0, 1.0)


def frame_cosines(query: Tensor, frames: Tensor) -> Tensor:
    """Cosine of each query with every frame.

    `query` `(N, V, D)` or `(N, 1, D)`, `frames` `(N, V, F, D)` or `(V, F, D)`; returns `(N, V, F)`.
    """
    videos = "nvfd" if frames.dim() == 4 else "vfd"
    if query.shape[1] == 1:
        return torch.einsum(f"nd,{videos}->nvf", unit(query[:, 0]), unit(frames))
    return torch.einsum(f"nvd,{videos}->nvf", unit(query), unit(frames))


def vector_cosines(query: Tensor, vectors: Tensor) -> Tensor:
    """Cosine of each query with one vector per video.

    `query` `(N, V, D)` or `(N, 1, D)`, `vectors` `(N, V, D)` or `(V, D)`; returns `(N, V)`.
    """
    if query.shape[1] == 1 and vectors.dim() == 2:
        return unit(query[:, 0]) @ unit(vectors).T
    return (unit(query) * unit(vectors)).sum(-1)


def masked_mean(frames: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real frames, `(..., F, D)` under `mask` `(..., F)` bool -> `(..., D)`.

    Padding frames never enter, whatever they hold; no real frame at all gives the zero vector.
    """
    kept = torch.where(mask[..., None], frames, torch.zeros_like(frames[..., :1, :1]))
    return kept.sum(-2) / mask.sum(-1, keepdim=True).clamp(min=1)
