"""Dropout whose random numbers cost a processor little."""

import torch
from torch import Tensor, nn

LEVELS = 2**16
"""Values of 16 random bits."""


class Dropout(nn.Dropout):
    """`nn.Dropout` (Srivastava et al., JMLR 2014) that takes 16 bits of torch's generator per element.

    torch draws a number per element, one after the other, which for all pairs of a batch takes as long as a
    product. The share that is dropped is rounded to 1 / 65,536, and what is kept is scaled by the rounded
    share, so the expectation stays exact.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input `(...)` with elements dropped in training, unchanged in evaluation."""
        if not self.training or self.p == 0:
            return input
        kept = round((1 - self.p) * LEVELS)
        # four elements to a draw of 64 bits
        draws = torch.empty(-(-input.numel() // 4), dtype=torch.int64, device=input.device)
        bits = draws.random_(-(2**63), None).view(torch.int16)[: input.numel()].view(input.shape)
        # x / (1 - p) with probability 1 - p, else 0
        return input * (bits < kept - LEVELS // 2).to(input.dtype).mul_(LEVELS / kept)
