"""Attention and feed-forward layers with the LayerNorm behind the residual, as CAE-AV's CASE is built of.

Sources broadcast over the leading axes, so the tokens of all frames can attend one caption per clip. Dropout
rates are the released ones.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

ATTENTION_DROPOUT = 0.1
"""Dropout of attention weights."""
DROPOUT = 0.2
"""Dropout of branches before the residual, and inside the feed-forward layer."""


def hiding_bias(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """The bias `(..., 1, 1, L)` that hides what `mask` `(..., L)` bool leaves out; None for None.

    The lowest number instead of -inf: a source that is hidden altogether is attended evenly and stays finite.
    """
    if mask is None:
        return None
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)[..., None, None, :]


class MultiHeadAttention(nn.Module):
    """Multi-head attention with a map of its own for query, key, value and output, all with biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q = nn.Linear(width, width)
        self.linear_k = nn.Linear(width, width)
        self.linear_v = nn.Linear(width, width)
        self.linear_merge = nn.Linear(width, width)

    def forward(self, query: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """`(..., Lq, C)` attends `(..., Ls, C)`; `mask` `(..., Ls)` bool, False is not attended."""
        q, k, v = (
            x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)
            for x in (self.linear_q(query), self.linear_k(source), self.linear_v(source))
        )  # (..., heads, L, C / heads)
        # the attention kernel broadcasts no leading axes
        leading = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2])
        attended = functional.scaled_dot_product_attention(
            q,
            k.expand(*leading, *k.shape[-2:]),
            v.expand(*leading, *v.shape[-2:]),
            attn_mask=hiding_bias(mask, q.dtype),
            dropout_p=ATTENTION_DROPOUT if self.training else 0.0,
        )
        out: Tensor = self.linear_merge(attended.transpose(-2, -3).flatten(-2))
        return out


class PostNormAttention(nn.Module):
    """`LN(x + dropout(attention(x, source)))`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.dropout = nn.Dropout(DROPOUT)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """`(..., L, C)` attends `(..., Ls, C)` under `mask` `(..., Ls)` bool -> `(..., L, C)`."""
        # LN(x + dropout(attention(x, source)))
        out: Tensor = self.norm(x + self.dropout(self.attention(x, source, mask)))
        return out


class TwoLayers(nn.Module):
    """`W2 dropout(relu(W1 x))`, C -> 2C -> C."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense1 = nn.Linear(width, 2 * width)
        self.dense2 = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """`(..., C)` -> `(..., C)`."""
        # W2 dropout(relu(W1 x))
        out: Tensor = self.dense2(self.dropout(self.dense1(x).relu()))
        return out


class PostNormFeedForward(nn.Module):
    """`LN(x + dropout(W2 relu(W1 x)))`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ffn = TwoLayers(width)
        self.dropout = nn.Dropout(DROPOUT)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """`(..., C)` -> `(..., C)`."""
        # LN(x + dropout(FF(x)))
        out: Tensor = self.norm(x + self.dropout(self.ffn(x)))
        return out
