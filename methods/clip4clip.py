"""CLIP4Clip: mean pooling of frames, or a temporal transformer before it.

Luo et al., arXiv 2104.08860, section 3.3 and 3.4:

    f' = f + transformer(f + p)     seqTransf   methods/parts/pooling/sequence_transformer.py: contextual
    v  = 1/F sum_i f_i / |f_i|                  methods/parts/pooling/mean.py: mean_of_directions
    s  = cos(t, v)                              methods/parts/interaction/cosine.py: Cosine
    L  = InfoNCE in both directions             methods/parts/objective/infonce.py: symmetric_infonce
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from core.axes import Ours
from methods.composed import ComposedAuthors, ComposedMethod
from methods.parts.config import ComposedConfig, PoolingKind
from methods.parts.layouts import temporal
from methods.parts.recipes import CLIP4CLIP

FROZEN_CLIP = (
    "token_embedding",
    "positional_embedding",
    "visual.conv1",
    "visual.class_embedding",
    "visual.positional_embedding",
    "visual.ln_pre",
)
"""What the released code freezes in the towers (`freeze_layer_num=0`), by open_clip's names."""


class Clip4ClipConfig(ComposedConfig):
    """CLIP4Clip's defaults; the paper and the released code agree on the formulas."""

    pooling: PoolingKind = "mean"
    """`mean` (meanP) or `sequence-transformer` (seqTransf)."""


class Clip4ClipAuthors(ComposedAuthors):
    """CLIP4Clip's checkpoints; X-CLIP's have the same two headers."""

    def config(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """The header, its layers, heads and frame positions."""
        found = temporal(state)
        return {"pooling": "sequence-transformer" if found else "mean", **found}

    def hints(self) -> Mapping[str, str]:
        """The headers that are not hosted."""
        return {
            "lstm_visual.": "the header seqLSTM is not hosted; take a meanP or seqTransf checkpoint",
            "cross.": "the header tightTransf is not hosted; take a meanP or seqTransf checkpoint",
        }


class Clip4Clip(ComposedMethod):
    """Cosine of the text with the mean direction of the frames."""

    name = "clip4clip"
    title = "CLIP4Clip"
    paper = "Luo et al., CLIP4Clip, Neurocomputing 2022, arXiv 2104.08860"
    Config = Clip4ClipConfig
    recipe: ClassVar[Mapping[str, object]] = {
        **CLIP4CLIP,
        "training.frozen_clip_prefixes": Ours((), released=FROZEN_CLIP),
        "frames@didemo": 64,
        "text_tokens@didemo": 64,
    }
    authors = Clip4ClipAuthors(
        {
            "frame_position_embeddings.": "pooling.frame_positions.",
            "transformerClip.resblocks.": "pooling.transformer.",
        }
    )
