"""UATVR's probabilistic embedding: each side is a Gaussian, training compares samples of both.

Fang et al., "UATVR: Uncertainty-Adaptive Text-Video Retrieval", ICCV 2023 (arXiv 2301.06309), section 3.3;
the modules are those of PCME (Chun et al., CVPR 2021). Nothing of this enters a score.

    att(x)    = sum_l softmax_l(w2 tanh(W1 x_l)) x_l            over all slots, padded ones too
    mu        = unit(LN(pool + sigmoid(fc(att(tokens)))))
    log sigma = fc(att'(tokens)) + fc2(pool)
    z_k       = mu + eps_k exp(log sigma)

The KL term uses exp(log sigma) as a variance, the sampling as a standard deviation, as released.
"""

import torch
from torch import Tensor, nn

from methods.parts.transformer import initialise_normal
from methods.parts.vectors import unit


class AttentionPool(nn.Module):
    """att: one head of additive attention over all slots."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(width, width // 2, bias=False)
        self.w_2 = nn.Linear(width // 2, 1, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """`(B, L, D)` -> `(B, D)`."""
        # softmax_l(w2 tanh(W1 x_l)), padded slots included as released
        weights = self.w_2(self.w_1(tokens).tanh()).softmax(1)
        pooled: Tensor = (weights * tokens).sum(1)
        return pooled


class MeanNet(nn.Module):
    """mu of a side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = AttentionPool(width)
        self.fc = nn.Linear(width, width)
        self.layer_norm = nn.LayerNorm(width)
        initialise_normal(self)

    def forward(self, pooled: Tensor, tokens: Tensor) -> Tensor:
        """Pooled `(B, D)` and tokens `(B, L, D)` -> unit `(B, D)`."""
        # mu = unit(LN(pool + sigmoid(fc(att(tokens)))))
        return unit(self.layer_norm(pooled + self.fc(self.attention(tokens)).sigmoid()))


class UncertaintyNet(nn.Module):
    """log sigma of a side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = AttentionPool(width)
        self.fc = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)
        initialise_normal(self)

    def forward(self, pooled: Tensor, tokens: Tensor) -> Tensor:
        """Pooled `(B, D)` and tokens `(B, L, D)` -> `(B, D)`."""
        # log sigma = fc(att'(tokens)) + fc2(pool)
        log_sigma: Tensor = self.fc(self.attention(tokens)) + self.fc2(pooled)
        return log_sigma


def samples(mean: Tensor, log_sigma: Tensor, noise: Tensor) -> Tensor:
    """z `(B, K, D)` of mu and log sigma `(B, D)` under noise `(B, K, D)`."""
    # z_k = mu + eps_k exp(log sigma)
    return mean[:, None] + noise * log_sigma.exp()[:, None]


def sample_contrast(queries: Tensor, keys: Tensor) -> Tensor:
    """A(Q, K): samples `(B, n, D)` of matched pairs; every sample should find every sample of its partner."""
    # every sample of an item against every sample of all items
    logits = torch.einsum("bnd,cmd->bncm", queries, keys)
    own = logits.flatten(2).log_softmax(-1).view_as(logits).diagonal(dim1=0, dim2=2)  # (n, m, B)
    return -own.mean()


def multi_instance_loss(videos: Tensor, texts: Tensor) -> Tensor:
    """MIL, both directions of `sample_contrast`."""
    return (sample_contrast(videos, texts) + sample_contrast(texts, videos)) / 2


def kl_loss(drawn: Tensor, log_sigma: Tensor) -> Tensor:
    """KL of a side, summed over batch and width as released: samples `(B, K, D)`, log sigma `(B, D)`."""
    # -1/2 sum (1 + log sigma - mu^2 - sigma), sigma standing for a variance as released
    return -0.5 * (1 + log_sigma - drawn.mean(1).square() - log_sigma.exp()).sum()
