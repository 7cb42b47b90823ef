"""XTI: a cross transformer reads the caption and one video's frames together and gives a number.

Wang et al., DRL, arXiv 2203.07111, section 3.1 (the row "cross transformer"; the module is CLIP4Clip's tight
type). For each pair: `[caption; frames] + E`, blocks, LayerNorm of position 0, `dense`, quick-GELU, and a
linear map to one number.
"""

import torch
from torch import Tensor, nn

from methods.parts.transformer import LAYER_NORM_EPS, TransformerBlock, initialise_normal, quick_gelu


class CrossTransformer(nn.Module):
    """The score of a caption vector with the frames of a video."""

    def __init__(self, width: int, layers: int, heads: int, positions: int, dropout: float) -> None:
        super().__init__()
        self.positions = nn.Embedding(positions, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.dense = nn.Linear(width, width)
        self.similarity = nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)
        initialise_normal(self)

    def forward(self, texts: Tensor, frames: Tensor, mask: Tensor) -> Tensor:
        """Scores `(N, V)` of texts `(N, D)` and frames `([N,] V, F, D)` under `mask` `([N,] V, F)` bool."""
        pairs = (len(texts), frames.shape[-3])
        first = texts[:, None, None].expand(-1, pairs[1], -1, -1)  # (N, V, 1, D)
        # [caption; frames] of every pair
        tokens = torch.cat([first, frames.expand(pairs[0], -1, -1, -1)], dim=2).flatten(0, 1)
        shown = mask.expand(*pairs, -1).flatten(0, 1)
        seen = torch.cat([shown.new_ones(len(shown), 1), shown], dim=1)
        # + E
        x = self.dropout(tokens + self.positions.weight[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x, seen)
        # W qgelu(dense LN(x_0))
        scores: Tensor = self.similarity(quick_gelu(self.dense(self.norm(x[:, 0]))))
        return scores.view(pairs)
