"""The transformer block that CLIP4Clip's temporal module and AVIGATE's head share with CLIP's text tower.

Pre-norm, QuickGELU, LayerNorm epsilon 1e-12 (the released heads' value; CLIP's own is 1e-5 although the
weights are copied from it). Parameter names are CLIP's, so that its text layers can be copied in.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.authors import ClipTextWeights
from core.errors import BenchError
from methods.parts.config import ComposedConfig

LAYER_NORM_EPS = 1e-12
"""`LayerNorm` epsilon of both released heads."""


def quick_gelu(x: Tensor) -> Tensor:
    """`x sigmoid(1.702 x)`, CLIP's activation."""
    return x * torch.sigmoid(1.702 * x)


def default_heads(width: int) -> int:
    """Heads of 64 channels each, as in CLIP's text tower."""
    return max(1, width // 64)


def transformer_heads(config: ComposedConfig, width: int) -> int:
    """Heads of a transformer over frames; raises `BenchError` where they do not divide the width."""
    heads = config.transformer_heads or default_heads(width)
    if width % heads:
        raise BenchError(
            f"transformer_heads={heads} does not divide the joint width {width}; choose a divisor"
        )
    return heads


def check_positions(config: ComposedConfig, frames: int) -> None:
    """Raises `BenchError` where a clip has more frames than the position table has rows."""
    if frames > config.positions:
        raise BenchError(f"frames={frames} is more than positions={config.positions}; raise config.positions")


def key_bias(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """The bias `(B, 1, L)` that hides what `mask` `(B, L)` bool leaves out; None for None.

    The lowest number instead of -inf: a source that is hidden altogether is attended evenly and stays finite.
    """
    if mask is None:
        return None
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)[:, None]


class Attention(nn.Module):
    """Multi-head attention, in-projection packed (query, key, value); names as in `nn.MultiheadAttention`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(3 * width, width)))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, query: Tensor, source: Tensor, bias: Tensor | None = None) -> Tensor:
        """Query `(B, Lq, D)` attends source `(B, Ls, D)`; `bias` `(B, Lq|1, Ls)` is added to the logits."""
        weights = zip(self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True)
        inputs = (query, source, source)
        q, k, v = (
            functional.linear(x, w, b).reshape(*x.shape[:-1], self.heads, -1).transpose(1, 2)
            for x, (w, b) in zip(inputs, weights, strict=True)
        )  # (B, heads, L, D/heads)
        bias = None if bias is None else bias[:, None].to(q.dtype)
        # softmax(q k^T / sqrt(d) + bias) v
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        out: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return out


class AttentionOverMany(Attention):
    """The same where a few queries attend many states: the maps act on the queries, not on every state.

    Own derivation; with H heads, L queries and S states `L D^2 + 2 H L S D` products instead of `2 S D^2 +
    2 L S D`. What the bias of the keys adds is the same for all states, which no softmax sees.
    """

    def forward(self, query: Tensor, source: Tensor, bias: Tensor | None = None) -> Tensor:
        """Query `(B, L, D)` attends source `(B, S, D)`; `bias` `(B, 1, S)` is added to the logits."""
        for_queries, for_keys, for_values = self.in_proj_weight.chunk(3)
        query_bias, _, value_bias = self.in_proj_bias.chunk(3)
        q = functional.linear(query, for_queries, query_bias).unflatten(-1, (self.heads, -1))
        # q . (W_K s + b) = (W_K^T q) . s + the same for all s
        asked = torch.einsum("blhd,hde->bhle", q, for_keys.unflatten(0, (self.heads, -1)))
        asked = asked.flatten(1, 2) / q.shape[-1] ** 0.5  # (B, H L, D)
        logits = asked @ source.transpose(1, 2)  # (B, H L, S)
        weights = (logits if bias is None else logits + bias).softmax(-1)
        # sum_s w_s (W_V s + b) = W_V sum_s w_s s + b
        summed = (weights @ source).unflatten(1, (self.heads, -1))  # (B, H, L, D)
        attended = torch.einsum("bhle,hde->blhd", summed, for_values.unflatten(0, (self.heads, -1)))
        out: Tensor = self.out_proj(attended.flatten(2) + value_bias)
        return out


class FeedForward(nn.Module):
    """`W2 qgelu(W1 x + b1) + b2`, D -> 4D -> D."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """`(..., D)` -> `(..., D)`."""
        # W2 qgelu(W1 x + b1) + b2
        out: Tensor = self.c_proj(quick_gelu(self.c_fc(x)))
        return out


class TransformerBlock(nn.Module):
    """`x + attention(norm(x))`, then `x + feed_forward(norm(x))`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.mlp = FeedForward(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """`(B, L, D)` -> `(B, L, D)`; `mask` `(B, L)` bool, False is not attended."""
        h = self.ln_1(x)
        # x + attention(LN1 x)
        x = x + self.attn(h, h, key_bias(mask, h.dtype))
        # x + MLP(LN2 x)
        x = x + self.mlp(self.ln_2(x))
        return x


def initialise_normal(module: nn.Module, std: float = 0.02) -> None:
    """N(0, std) for linear and embedding weights and zero biases below `module`, as the released heads do."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)


@torch.no_grad()
def copy_clip_blocks(blocks: nn.ModuleList, clip: ClipTextWeights) -> bool:
    """Copies CLIP's text layer i into block i: `ln_1`, `attn`, `ln_2`, `mlp`; returns whether it did.

    Only where CLIP has as many layers, the same width and the same heads; else every block keeps its
    fresh initialisation.
    """
    targets = [dict(block.named_parameters()) for block in blocks]
    pairs = list(zip(targets, clip.blocks, strict=False))
    fits = len(pairs) == len(targets) and all(
        key in own and own[key].shape == weight.shape for own, layer in pairs for key, weight in layer.items()
    )
    # as many weights of the same shape are another function under another number of heads
    heads = {cast(TransformerBlock, block).attn.heads for block in blocks}
    if not fits or heads - {clip.heads}:
        return False
    for own, layer in pairs:
        for key, weight in layer.items():
            own[key].copy_(weight)
    return True


@torch.no_grad()
def copy_clip_positions(table: nn.Embedding, clip: ClipTextWeights) -> bool:
    """Copies the rows of CLIP's positional table into a table of the same width; returns whether it did."""
    if clip.positions.shape[1] != table.embedding_dim:
        return False
    rows = min(len(clip.positions), table.num_embeddings)
    table.weight[:rows] = clip.positions[:rows]
    return True


def with_positions(frames: Tensor, table: nn.Embedding) -> Tensor:
    """Adds the positional row of each slot to frames `(..., F, D)`."""
    return frames + table.weight[: frames.shape[-2]]
