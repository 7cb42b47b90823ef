"""DiCoSA: text and video are cut into concepts, whose cosines a small network weighs.

Jin et al., IJCAI 2023, arXiv 2305.12218, section 3:

    f' = f + transformer(f + p)                       methods/parts/pooling/contextual.py
    v  = sum_f softmax_f(t . f'_f / 3) f'_f           methods/parts/softmax_frames.py: softmax_pooled
    s  = sum_k (W2 relu(W1 [t_k; v_k])) cos(t_k, v_k)
                                                      methods/parts/interaction/concepts.py: weighed
    D  = alpha sum_k (c_kk - 1)^2 + beta sum c_kj^2   methods/parts/interaction/concepts.py: decoupling
    L  = InfoNCE in both directions + D               methods/composed.py: loss

The release reports QB-Norm only (beta 70, thresholds set by hand): here it is a rescoring beside raw scores,
with the released constants under `--recipe authors` (`evaluation.qb_beta`, `evaluation.qb_theta`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from core.axes import Ours
from methods.composed import ComposedAuthors, ComposedMethod
from methods.parts.config import ComposedConfig, InteractionKind, PoolingKind
from methods.parts.layouts import POSITION_TABLE, temporal
from methods.parts.recipes import CLIP4CLIP, DECORD, OPENCV_DIDEMO


class DicosaConfig(ComposedConfig):
    """DiCoSA's defaults."""

    pooling: PoolingKind = "softmax-frames"
    """Frames weighted by the text."""
    interaction: InteractionKind = "concepts"
    """Weighted cosines of 8 slices."""


class DicosaAuthors(ComposedAuthors):
    """DiCoSA's checkpoints."""

    def config(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Layers, heads, positions, and the concepts: their network takes a slice of each side."""
        network, positions = state.get("weight_fc.0.weight"), state.get(POSITION_TABLE)
        concepts = {}
        if network is not None and positions is not None:
            concepts = {"concepts": 2 * positions.shape[1] // network.shape[1]}
        return {**temporal(state), **concepts}


class Dicosa(ComposedMethod):
    """Weighted cosines of concepts."""

    name = "dicosa"
    title = "DiCoSA"
    paper = "Jin et al., DiCoSA, IJCAI 2023, arXiv 2305.12218"
    Config = DicosaConfig
    recipe: ClassVar[Mapping[str, object]] = {
        **CLIP4CLIP,
        **DECORD,
        **OPENCV_DIDEMO,
        "frames@didemo": 64,
        "text_tokens@didemo": 64,
        # Its evaluation prints nothing else; the threshold of the other direction is 5.
        "evaluation.qb_beta": Ours(20.0, released=70.0),
        "evaluation.qb_theta": Ours(1, released=3),
    }
    authors = DicosaAuthors(
        {
            "frame_position_embeddings.": "pooling.frame_positions.",
            "transformerClip.resblocks.": "pooling.transformer.",
            "weight_fc.": "interaction.weight_fc.",
        }
    )
