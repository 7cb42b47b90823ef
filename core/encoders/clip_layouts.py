"""CLIP's towers under the key names of others: OpenAI's are open_clip's own, transformers' are mapped.

Both hold the same numbers. transformers keeps the projections of query, key and value apart and stores
the two output projections transposed, as weights of linear layers; OpenAI and open_clip pack the former
and multiply with the latter from the right.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from core.errors import BenchError

TRANSFORMERS_PLACES: Mapping[str, str] = {
    r"text_model\.embeddings\.token_embedding\.": "token_embedding.",
    r"text_model\.embeddings\.position_embedding\.weight": "positional_embedding",
    r"text_model\.encoder\.layers\.": "transformer.resblocks.",
    r"text_model\.final_layer_norm\.": "ln_final.",
    r"text_projection\.weight": "text_projection",
    r"vision_model\.embeddings\.class_embedding": "visual.class_embedding",
    r"vision_model\.embeddings\.patch_embedding\.": "visual.conv1.",
    r"vision_model\.embeddings\.position_embedding\.weight": "visual.positional_embedding",
    r"vision_model\.pre_layrnorm\.": "visual.ln_pre.",
    r"vision_model\.encoder\.layers\.": "visual.transformer.resblocks.",
    r"vision_model\.post_layernorm\.": "visual.ln_post.",
    r"visual_projection\.weight": "visual.proj",
}
"""Beginning of a key of transformers' CLIPModel (its misspelling included) -> open_clip's."""
TRANSFORMERS_PARTS: Mapping[str, str] = {
    r"\.layer_norm([12])\.": r".ln_\1.",
    r"\.mlp\.fc1\.": ".mlp.c_fc.",
    r"\.mlp\.fc2\.": ".mlp.c_proj.",
    r"\.self_attn\.out_proj\.": ".attn.out_proj.",
    r"\.self_attn\.([qkv])_proj\.": r".attn.\1.",
}
"""Part of a block in transformers' key -> open_clip's, query, key and value still apart."""
TRANSPOSED_WEIGHTS = {"text_projection", "visual.proj"}
"""Weights of linear layers in transformers, bare matrices in open_clip."""
BUFFERS = re.compile(r"(text|vision)_model\.embeddings\.position_ids|attn_mask")
"""Constants that older versions of the libraries saved with the weights."""
OPENAI_NUMBERS = {"input_resolution", "context_length", "vocab_size"}
"""Shapes that OpenAI's archives store beside the weights."""


def open_clip_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The towers' weights under open_clip's names, from OpenAI's, transformers' or open_clip's own.

    Keys that belong to none of them keep their names.
    """
    weights = {
        name: tensor
        for name, tensor in state.items()
        if name not in OPENAI_NUMBERS and not BUFFERS.fullmatch(name)
    }
    if not any(name.startswith(("text_model.", "vision_model.")) for name in weights):
        return weights
    return packed({open_clip_name(name): tensor for name, tensor in weights.items()})


def open_clip_name(name: str) -> str:
    """open_clip's name of a key of transformers, with query, key and value as `attn.q|k|v`."""
    for pattern, own in TRANSFORMERS_PLACES.items():
        name = re.sub(f"^{pattern}", own, name)
    for pattern, own in TRANSFORMERS_PARTS.items():
        name = re.sub(pattern, own, name)
    return name


def packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Query, key and value packed into `in_proj_weight` and `in_proj_bias`, projections as bare matrices."""
    found = {name: tensor.T if name in TRANSPOSED_WEIGHTS else tensor for name, tensor in state.items()}
    for query in [name for name in found if re.search(r"\.attn\.q\.(weight|bias)$", name)]:
        stem, _, kind = query.rpartition(".q.")
        names = [f"{stem}.{part}.{kind}" for part in "qkv"]
        if all(name in found for name in names):
            found[f"{stem}.in_proj_{kind}"] = torch.cat([found.pop(name) for name in names])
    return found


def check_towers(state: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str, backbone: str) -> None:
    """Raises `BenchError` unless `state` has the names and shapes of a backbone's own weights.

    `source` names the file. The logit scale may be missing: a method holds the one that is used.
    """
    for name in own:
        if name in state and state[name].shape != own[name].shape:
            raise BenchError(
                f"{source}: CLIP's {name} is {tuple(state[name].shape)}, backbone '{backbone}' has "
                f"{tuple(own[name].shape)}; choose the backbone that was trained with --set backbone=NAME"
            )
    unknown = sorted(set(state) - set(own))
    missing = sorted(set(own) - set(state) - {"logit_scale"})
    for kind, names in (("unknown", unknown), ("missing", missing)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise BenchError(
                f"{source}: {kind} CLIP weights for backbone '{backbone}': {', '.join(names[:3])}{more}"
            )
