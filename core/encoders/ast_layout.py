"""The Audio Spectrogram Transformer under the names of its authors' code (timm's), mapped to transformers'.

Gong et al., "AST: Audio Spectrogram Transformer", Interspeech 2021, arXiv 2104.01778. AVIGATE's checkpoints
hold one. The authors pack query, key and value; transformers keeps them apart.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

AST_NAMES: Mapping[str, str] = {
    r"^v\.cls_token$": "embeddings.cls_token",
    r"^v\.dist_token$": "embeddings.distillation_token",
    r"^v\.pos_embed$": "embeddings.position_embeddings",
    r"^v\.patch_embed\.proj\.": "embeddings.patch_embeddings.projection.",
    r"^v\.norm\.": "layernorm.",
    r"^v\.blocks\.": "layers.",
    r"\.norm1\.": ".layernorm_before.",
    r"\.norm2\.": ".layernorm_after.",
    r"\.attn\.proj\.": ".attention.o_proj.",
}
"""Part of the authors' key -> transformers'; `mlp.fc1` and `mlp.fc2` are called alike."""
CLASSIFIERS = re.compile(r"v\.head|v\.head_dist|mlp_head")
"""Beginnings of the keys that only AudioSet's classification reads."""


def transformers_ast_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of `transformers.ASTModel` from the authors', classifiers left out.

    Keys of neither keep their names.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if CLASSIFIERS.match(name):
            continue
        for pattern, own in AST_NAMES.items():
            name = re.sub(pattern, own, name)
        stem, packed, kind = name.partition(".attn.qkv.")
        if not packed:
            found[name] = tensor
            continue
        for part, block in zip("qkv", tensor.chunk(3), strict=True):
            found[f"{stem}.attention.{part}_proj.{kind}"] = block
    return found


MELS, LENGTH, PATCH, STRIDE, AST_HEAD = 128, 1024, 16, 10, 64
"""Of every published AST: mel bins, frames of a window, patches and their stride, channels per head."""


def ast_config(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Sizes of an AST by transformers' names, from the authors' weights; None for none of the usual grid."""
    positions, hidden = state.get("v.pos_embed"), state.get("v.blocks.0.mlp.fc1.weight")
    if positions is None or hidden is None:
        return None
    frequencies, times = ((side - PATCH) // STRIDE + 1 for side in (MELS, LENGTH))
    width = int(positions.shape[-1])
    if (
        positions.shape[-2] != 2 + frequencies * times
        or width % AST_HEAD
        or "v.blocks.0.mlp.fc1.weight" not in state
    ):
        return None
    blocks = {name.split(".")[2] for name in state if name.startswith("v.blocks.")}
    return {
        "hidden_size": width,
        "num_hidden_layers": len(blocks),
        "num_attention_heads": width // AST_HEAD,
        "intermediate_size": int(hidden.shape[0]),
        "num_mel_bins": MELS,
        "max_length": LENGTH,
        "patch_size": PATCH,
        "frequency_stride": STRIDE,
        "time_stride": STRIDE,
        "layer_norm_eps": 1e-6,  # timm's
    }
