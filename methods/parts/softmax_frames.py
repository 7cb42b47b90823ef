"""EMCL's and DiCoSA's pooling: a text weights the frames by a softmax of inner products.

Jin et al., NeurIPS 2022 (arXiv 2211.11427) and IJCAI 2023 (arXiv 2305.12218):

    a_nvf = softmax_f(t_n . tok_vf / temperature) m_vf,    v_nv = sum_f a_nvf tok_vf

The release masks after the softmax, so the weights of a video with padding sum to less than 1. A cosine does
not see it, because padded tokens only scale the rest.
"""

import torch
from torch import Tensor


def frame_weights(texts: Tensor, tokens: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """a `(N, V, F)` of texts `(N, D)` and tokens `([N,] V, F, D)` under `mask` `([N,] V, F)` bool."""
    videos = "nvfd" if tokens.dim() == 4 else "vfd"
    products = torch.einsum(f"nd,{videos}->nvf", texts, tokens)
    # a_nvf = softmax_f(t_n . tok_vf / temperature) m_vf
    weights: Tensor = (products / temperature).softmax(-1) * mask
    return weights


def softmax_pooled(texts: Tensor, tokens: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """v `(N, V, D)`."""
    videos = "nvfd" if tokens.dim() == 4 else "vfd"
    # v_nv = sum_f a_nvf tok_vf
    return torch.einsum(f"nvf,{videos}->nvd", frame_weights(texts, tokens, mask, temperature), tokens)
