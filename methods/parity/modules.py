"""Heads under test that are modules of their own: built from recorded weights, under the authors' names."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from core.authors import load_renamed
from methods.parity.golden import Golden
from methods.parity.setup import compare_gradients_of
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.temporal import TemporalTransformer
from methods.parts.transformer import TransformerBlock

TEMPORAL_NAMES = {
    "frame_position_embeddings.": "temporal.positions.",
    "transformerClip.resblocks.": "temporal.blocks.",
}
"""Authors' prefix -> ours, of the temporal transformer."""
SCALE_NAMES = {"clip.logit_scale": "logit_scale"}
"""The logit scale, stored as a logarithm."""


class Head(nn.Module):
    """A head under test: its logit scale, and a temporal transformer where the authors have one."""

    names: ClassVar[Mapping[str, str]] = {**SCALE_NAMES, **TEMPORAL_NAMES}
    """Authors' prefix -> ours."""

    def __init__(self, golden: Golden, weights: Mapping[str, Tensor], width: int) -> None:
        super().__init__()
        self.own_names = self.names
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.temporal = temporal_of(golden, weights, width)

    def load(self, golden: Golden, weights: Mapping[str, Tensor], dead: frozenset[str] = frozenset()) -> None:
        """Loads all recorded weights; raises `BenchError` for unknown, missing and misshapen keys."""
        load_renamed(self, golden.kind, weights, self.own_names, dead)
        self.eval()


def temporal_of(golden: Golden, weights: Mapping[str, Tensor], width: int) -> TemporalTransformer:
    """The temporal transformer that the weights describe; none where there are no positions for it."""
    table = weights.get("frame_position_embeddings.weight")
    layers = 1 + max((int(k.split(".")[2]) for k in weights if k.startswith("transformerClip.")), default=-1)
    if table is None or not layers:
        return TemporalTransformer(width, 0, 1, 1)
    built = TemporalTransformer(width, layers, golden.integer("heads"), len(table))
    set_layer_norm(built, golden.number("layer_norm_eps"))
    return built


def set_layer_norm(module: nn.Module, epsilon: float) -> None:
    """The recorded LayerNorm epsilon in every transformer block below `module`."""
    for block in module.modules():
        if isinstance(block, TransformerBlock):
            for part in block.modules():
                if isinstance(part, nn.LayerNorm):
                    part.eps = epsilon


def compare_loss(
    golden: Golden,
    head: Head,
    scores: Tensor,
    extra: Tensor | float,
    inputs: Mapping[str, Tensor],
    required: tuple[str, ...],
) -> None:
    """Symmetric InfoNCE of scores `(B, B)` without scale plus `extra`, then every gradient under `grad/`."""
    loss = symmetric_infonce(head.logit_scale.exp() * scores) + extra
    golden.compare("out/loss", loss)
    loss.backward()
    compare_gradients_of(golden, "grad/", head, head.own_names, inputs, required)
