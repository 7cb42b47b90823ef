"""X-Pool: frames pooled by the attention of the text."""

from collections.abc import Mapping
from typing import ClassVar

from methods.composed import ComposedMethod
from methods.parts.config import ComposedConfig, PoolingKind

FAMILY_RECIPE: Mapping[str, object] = {
    "training.optimizer": "adamw",
    "training.schedule": "warmup-cosine",
    "training.lr_new": 1e-5,
    "training.lr_clip": 1e-6,
    "training.weight_decay": 0.2,
    "training.decay_biases": True,
    "training.batch_size": 32,
    "training.epochs": 5,
    "training.crop": "random",
    "frame_sampling": "segment-centres",
    "text_tokens": 77,
}
"""What X-Pool, T-MASS and GAID share; as released, the rate of new modules is 3e-5 on MSR-VTT."""
POOLING_KEYS: Mapping[str, str] = {"pool_frames.": "pooling."}
"""Authors' names of text-conditioned pooling."""


class XPoolConfig(ComposedConfig):
    """X-Pool's defaults."""

    pooling: PoolingKind = "text-conditioned"
    """X-Pool's cross-attention; `mean`, `top-k` and `attention` are the paper's baselines."""


class XPool(ComposedMethod):
    """Cosine of the text with frames that it pooled itself."""

    name = "xpool"
    title = "X-Pool"
    paper = "Gorti et al., X-Pool, CVPR 2022, arXiv 2203.15086"
    Config = XPoolConfig
    recipe = FAMILY_RECIPE
    dataset_defaults: ClassVar[Mapping[str, Mapping[str, object]]] = {"msrvtt": {"training.lr_new": 3e-5}}
    reference_keys = POOLING_KEYS
