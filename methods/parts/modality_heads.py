"""One linear map per modality into a joint space, as VALOR, VAST and GRAM have it; means of raw vectors.

Keys: `t` caption, `v` picture, `a` sound, `s` speech or subtitle, `d` depth.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from methods.parts.vectors import unit


class ModalityHeads(nn.Module):
    """`unit(W_m x)` per modality m, without bias."""

    def __init__(self, inputs: Mapping[str, int], width: int) -> None:
        super().__init__()
        self.maps = nn.ModuleDict({m: nn.Linear(size, width, bias=False) for m, size in inputs.items()})

    def forward(self, modality: str, x: Tensor) -> Tensor:
        """`(..., C)` -> unit `(..., D)`."""
        return unit(self.maps[modality](x))


def mean_class_token(states: Tensor) -> Tensor:
    """Mean over frames (or slices) of token 0: `(V, n, x, C)` -> `(V, C)`."""
    return states[:, :, 0].mean(1)


def mean_token(states: Tensor) -> Tensor:
    """Mean over slices of the mean over tokens: `(V, n, x, C)` -> `(V, C)`."""
    return states.mean(2).mean(1)


def pooled_modality(modality: str, states: Tensor) -> Tensor:
    """Encoder states `(B, ..., C)` -> `(B, C)`: token 0 of text, its mean over frames, the mean of sound."""
    if states.dim() == 3:
        return states[:, 0]
    return mean_token(states) if modality == "a" else mean_class_token(states)
