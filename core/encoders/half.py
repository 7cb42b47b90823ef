"""CLIP's matrices in float16, as OpenAI publishes them and CLIP4Clip's and AVIGATE's code trains them.

Linear maps, convolutions, attention and both projections, biases included; embeddings, positions and
LayerNorms stay in float32 (Radford et al. 2021, released code, `convert_weights`).
"""

from collections.abc import Iterator

import torch
from torch import nn

PROJECTIONS = ("text_projection", "visual.proj")


def matrices(towers: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters that are kept in float16."""
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.MultiheadAttention)
    owners = {name for name, module in towers.named_modules() if isinstance(module, kinds)}
    for name, parameter in towers.named_parameters():
        if name in PROJECTIONS or name.rpartition(".")[0] in owners:
            yield parameter


@torch.no_grad()
def round_to_half(towers: nn.Module) -> None:
    """Rounds them to what float16 holds; they stay float32 for the arithmetic."""
    for parameter in matrices(towers):
        parameter.copy_(parameter.half())
