"""The transformer over a video's frames (or a caption's words) that the CLIP4Clip family shares.

`x = tokens + E[0..F-1]`, pre-norm blocks (`methods.parts.transformer`), result `x + tokens`: the residual
skips the positions. UATVR appends extra tokens, which are rows of the position table behind the others: they
are seen by all, see all, and take no residual.
"""

import torch
from torch import Tensor, nn

from methods.parts.transformer import TransformerBlock, initialise_normal


def contextual_tokens(
    blocks: nn.ModuleList, positions: Tensor, tokens: Tensor, mask: Tensor, extra: int = 0
) -> Tensor:
    """Tokens `(B, F, D)` under `mask` `(B, F)` bool after the blocks: `(B, F + extra, D)`.

    `positions` `(>= F + extra, D)`. Luo et al., arXiv 2104.08860, section 3.3 (seqTransf); the extra tokens
    are UATVR's (arXiv 2301.06309, section 3.2).
    """
    count, frames = tokens.shape[:2]
    # the extra tokens are nothing but their position
    more = positions[frames : frames + extra].expand(count, -1, -1)
    x = torch.cat([tokens + positions[:frames], more], dim=1)
    seen = with_extra(mask, extra)
    for block in blocks:
        x = block(x, seen)
    # x + tokens, without the positions; extra tokens have nothing to be added to
    return torch.cat([x[:, :frames] + tokens, x[:, frames:]], dim=1)


def with_extra(mask: Tensor, extra: int) -> Tensor:
    """The mask `(B, F)` bool with `extra` tokens behind it that are always real, `(B, F + extra)`."""
    return torch.cat([mask, mask.new_ones(len(mask), extra)], dim=1)


class TemporalTransformer(nn.Module):
    """Positions and blocks; without layers the tokens stay as they are."""

    def __init__(self, width: int, layers: int, heads: int, positions: int) -> None:
        super().__init__()
        self.positions = nn.Embedding(positions, width) if layers else None
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        initialise_normal(self)

    def forward(self, tokens: Tensor, mask: Tensor, extra: int = 0) -> Tensor:
        """`(B, F, D)` -> `(B, F + extra, D)`; see `contextual_tokens`."""
        if self.positions is None:
            return tokens
        return contextual_tokens(self.blocks, self.positions.weight, tokens, mask, extra)
