"""X-Pool: frames pooled by the attention of the text.

Gorti et al., arXiv 2203.15086, section 4.2; all but the last two stand in
methods/parts/pooling/text_conditioned.py:

    q = W_Q LN1(t)                                  queries
    k = W_K LN1(f), v = W_V LN1(f)                  prepare
    a = softmax(q k / sqrt(d))                      attention_weights
    o = LN2(W_O a v), z = LN3(o + dropout(W o))     forward
    s = cos(t, z)                                   methods/parts/interaction/cosine.py: Cosine
    L = InfoNCE in both directions                  methods/parts/objective/infonce.py: symmetric_infonce
"""

from collections.abc import Mapping
from typing import ClassVar

from core.axes import Ours
from methods.composed import ComposedAuthors, ComposedMethod
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
    "data.resize": Ours("antialiased", released="tensor"),  # torchvision up to 0.16, whose default is without
}
"""What X-Pool, T-MASS, GAID and CAE-AV share."""
ON_MSRVTT: Mapping[str, object] = {"training.lr_new@msrvtt": 3e-5}
"""As released; the others keep the rate of the papers there."""
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
    recipe: ClassVar[Mapping[str, object]] = {**FAMILY_RECIPE, **ON_MSRVTT}
    authors = ComposedAuthors(POOLING_KEYS)
