"""Checkpoints of every hosted method as its authors' code saves them: random weights under their keys."""

from collections.abc import Mapping
from typing import Any

import open_clip
import torch
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel

from core.authors import renamed
from core.method import Dimensions
from core.registry import find_method

WIDTH = 128
"""Of the joint embedding and of both towers; two heads of 64 channels, as OpenAI's towers have."""
FRAMES, WORDS = 4, 16
"""Of methods that are bound to them: neither is a default."""
SOUND = 96
"""Width of the audio states."""
AST_WIDTH = 64
"""The same of those whose checkpoints hold their audio encoder."""
WITH_AST = ("avigate", "save")
TRANSFORMERS = ("xpool", "tmass", "gaid")
"""Their authors' code keeps CLIP in transformers' layout, the others' in OpenAI's."""
CONFIG: Mapping[str, Mapping[str, Any]] = {
    "clip4clip": {"pooling": "sequence-transformer", "transformer_layers": 2, "positions": 16},
    "xclip": {"transformer_layers": 3, "positions": 8},
    "drl": {"transformer_layers": 1, "positions": 16, "weight_layers": 3},
    "uatvr": {"transformer_layers": 2, "positions": 18, "word_positions": 40},
    "dicosa": {"transformer_layers": 2, "positions": 18, "concepts": 4},
    "emcl": {"transformer_layers": 2, "positions": 18},
    "avigate": {"transformer_layers": 2, "resampler_layers": 3, "queries": 5, "positions": 16},
    "save": {"transformer_layers": 2, "resampler_layers": 1, "queries": 4, "positions": 16},
    "gaid": {"audio_projection": "linear", "null_audio": "learned"},
}
"""What each checkpoint was trained with, other than by default."""
BOUND = {
    "tmass": {"frames": FRAMES},
    "gaid": {"frames": FRAMES},
    "xclip": {"frames": FRAMES, "text_tokens": WORDS},
}
"""Keys of the spec that a checkpoint is bound to."""


def openai_towers() -> dict[str, Tensor]:
    """CLIP's weights as OpenAI names them."""
    vision = open_clip.CLIPVisionCfg(layers=1, width=WIDTH, head_width=64, patch_size=16, image_size=32)
    text = open_clip.CLIPTextCfg(context_length=77, vocab_size=49_408, width=WIDTH, heads=2, layers=2)
    return open_clip.CLIP(WIDTH, vision, text, quick_gelu=True).state_dict()


def transformers_towers() -> dict[str, Tensor]:
    """CLIP's weights as transformers names them."""
    tower = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**tower, "num_hidden_layers": 2, "vocab_size": 49_408},
        vision_config={**tower, "num_hidden_layers": 1, "image_size": 32, "patch_size": 16},
        projection_dim=WIDTH,
    )
    return CLIPModel(config).state_dict()


def towers_of(name: str) -> dict[str, Tensor]:
    """Under the method's prefix; none where its encoders are others."""
    prefix = find_method(name).authors.towers  # type: ignore[union-attr]
    state = transformers_towers() if name in TRANSFORMERS else openai_towers()
    return {f"{prefix}{key}": tensor for key, tensor in state.items()} if prefix else {}


def ast_state() -> dict[str, Tensor]:
    """An AST of one block under timm's names, of the usual grid of patches."""
    width = AST_WIDTH
    shapes = {
        "cls_token": (1, 1, width),
        "dist_token": (1, 1, width),
        "pos_embed": (1, 2 + 12 * 101, width),
        "patch_embed.proj.weight": (width, 1, 16, 16),
        "blocks.0.attn.qkv.weight": (3 * width, width),
        "blocks.0.attn.proj.weight": (width, width),
        "blocks.0.mlp.fc1.weight": (4 * width, width),
        "blocks.0.mlp.fc2.weight": (width, 4 * width),
    }
    biases = {key.replace("weight", "bias"): (shape[0],) for key, shape in shapes.items() if "weight" in key}
    norms = {
        f"{norm}.{kind}": (width,)
        for norm in ("blocks.0.norm1", "blocks.0.norm2", "norm")
        for kind in ("weight", "bias")
    }
    return {f"v.{key}": 0.05 * torch.randn(shape) for key, shape in {**shapes, **biases, **norms}.items()}


def method_of(name: str) -> nn.Module:
    """The method with random weights."""
    cls = find_method(name)
    bound = {"frames": FRAMES, "text_tokens": 32, **BOUND.get(name, {})}
    sound = AST_WIDTH if name in WITH_AST else SOUND
    dimensions = Dimensions(WIDTH, bound["frames"], sound, bound["text_tokens"])
    method = cls(cls.Config(**CONFIG.get(name, {})), dimensions)
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        method.logit_scale.fill_(4.0)
    return method


def checkpoint_of(name: str) -> dict[str, Tensor]:
    """What the authors' code would save of a method and its towers."""
    torch.manual_seed(5)
    method, authors = method_of(name), find_method(name).authors
    assert authors is not None
    theirs = {ours: key for key, ours in authors.names.items()}
    own = {renamed(key, theirs) or key: tensor for key, tensor in method.state_dict().items()}
    towers = towers_of(name)
    own |= {key: tensor for key, tensor in towers.items() if not key.endswith("logit_scale")}
    if name in WITH_AST:  # a bare matrix, transposed
        own["clip.audio_projection"] = own.pop("audio_projection.weight").T.contiguous()
        own |= {f"clip.audio.{key}": tensor for key, tensor in ast_state().items()}
    if name == "save":
        own["asr_query_tokens"] = torch.zeros(WIDTH, 4)
    if name in ("gram", "triangle", "vast"):
        own["contra_temp"] = (-own.pop("logit_scale")).exp()
        own["vision_encoder.visual.proj"] = torch.zeros(3)
    if name == "emcl":
        del own["interaction.bases"]
    own.pop("linear.null", None)  # what the authors' map makes of zeros: its bias
    if name in ("tmass", "gaid"):
        own["stochastic.std_branch.learnable_scalar"] = torch.zeros(1)
    return {key: tensor.detach().clone() for key, tensor in own.items()}
