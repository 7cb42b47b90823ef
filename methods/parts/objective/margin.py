"""AVIGATE's adaptive margin, added to the logits of negatives."""

import torch
from torch import Tensor

from methods.parts.vectors import unit


@torch.no_grad()
def adaptive_margin(texts: Tensor, videos: Tensor, beta: float, delta: float) -> Tensor:
    """AVIGATE's margin `(B, B)` of a negative: `min(beta (1 - mean intra-modal cosine), delta)`, diagonal 0.

    Texts and visual-only videos `(B, D)`, no gradient; Jeong et al., CVPR 2025 (arXiv 2504.02397).
    """
    texts, videos = unit(texts), unit(videos)
    # m_ij = min(beta (1 - (t_i . t_j + v_i . v_j) / 2), delta)
    margin = (beta * (1 - (texts @ texts.T + videos @ videos.T) / 2)).clamp(max=delta)
    # a positive pair has no margin
    return margin.fill_diagonal_(0)
