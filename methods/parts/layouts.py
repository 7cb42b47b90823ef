"""What the keys and shapes of the authors' checkpoints say of a configuration."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from methods.parts.transformer import default_heads

Weights = Mapping[str, Tensor]
"""The weights of a checkpoint under the authors' names."""

POSITION_TABLE = "frame_position_embeddings.weight"
BLOCKS = "transformerClip.resblocks."
LAST_NORMS = ("clip.ln_final.weight", "clip.text_model.final_layer_norm.weight")
"""Whose width is that of CLIP's text tower, by which the authors choose the number of heads."""


def depth(state: Weights, prefix: str) -> int:
    """Layers whose keys begin with a prefix and a number; 0 where there are none."""
    return len({name[len(prefix) :].partition(".")[0] for name in state if name.startswith(prefix)})


def heads(state: Weights) -> dict[str, int]:
    """`transformer_heads`, one per 64 channels of CLIP's text tower; empty where that is not in the file."""
    norm = next((state[name] for name in LAST_NORMS if name in state), None)
    return {} if norm is None else {"transformer_heads": default_heads(norm.shape[0])}


def temporal(state: Weights, blocks: str = BLOCKS) -> dict[str, Any]:
    """Layers, heads and rows of positions of a transformer over frames; empty where there is none."""
    if not depth(state, blocks):
        return {}
    positions = {"positions": state[POSITION_TABLE].shape[0]} if POSITION_TABLE in state else {}
    return {"transformer_layers": depth(state, blocks), **positions, **heads(state)}


def linear_layers(state: Weights, prefix: str) -> int:
    """Linear maps of a small network, numbered or alone."""
    return sum(name.startswith(prefix) and name.endswith("weight") for name in state)
