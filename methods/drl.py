"""DRL: every word looks for its best frame and every frame for its best word.

Wang et al., arXiv 2203.07111, sections 3.2 and 3.3; the interaction stands in
methods/parts/interaction/token_wise.py, the decorrelation in methods/parts/objective/decorrelation.py:

    f' = f + transformer(f + p)                          methods/parts/pooling/contextual.py
    a  = softmax g_t(words), b = softmax g_v(f')         softmax_weights (wti), even_weights (ti)
    s  = 1/2 [sum_l a_l max_f cos(w_l, f'_f) + sum_f b_f max_l cos(w_l, f'_f)]        token_wise
    R  = alpha1 sum_i (c_ii - 1)^2 + alpha2 sum_{i != j} c_ij^2                       correlation_penalty
    L  = InfoNCE in both directions + lambda R           methods/composed.py: loss

`interaction=cosine` is the release's DP, which is CLIP4Clip's seqTransf; `xti` is its cross transformer.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from methods.composed import ComposedAuthors, ComposedMethod
from methods.parts.config import Cdcr, ComposedConfig, InteractionKind, PoolingKind
from methods.parts.layouts import linear_layers, temporal
from methods.parts.recipes import CLIP4CLIP, DECORD


class DrlConfig(ComposedConfig):
    """DRL's defaults: WTI with two layers and CDCR over all tokens."""

    pooling: PoolingKind = "contextual"
    """Contextual frames."""
    interaction: InteractionKind = "wti"
    """`wti`, `ti`, or `cosine` (DP)."""
    cdcr: Cdcr = "weighted"
    """Channel decorrelation over all tokens, weighted as in WTI (cdcr 3)."""


WEIGHTS = ("text_weight_fc", "video_weight_fc")
"""The networks that weight words and frames."""


class DrlAuthors(ComposedAuthors):
    """DRL's checkpoints."""

    def config(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Layers, heads and positions, and the interaction with the depth of its networks.

        TI and DP have no weights, by which nobody can tell them apart.
        """
        found = temporal(state)
        chosen = {"pooling": "contextual" if found else "mean", **found}
        if any(name.startswith(WEIGHTS) for name in state):
            return {**chosen, "interaction": "wti", "weight_layers": linear_layers(state, WEIGHTS[0])}
        if any(name.startswith("cross.") for name in state):
            return {**chosen, "interaction": "xti"}
        return chosen

    def hints(self) -> Mapping[str, str]:
        """Which interaction has no weights."""
        return {WEIGHTS[0]: "it is TI or DP: pass --set config.interaction=ti, or =cosine for DP"}

    def load(self, method: ComposedMethod, state: Mapping[str, Tensor]) -> None:
        """A network of one layer has no number in its keys."""
        own = dict(state)
        for name in WEIGHTS:
            for kind in ("weight", "bias"):
                if f"{name}.{kind}" in own:
                    own[f"{name}.0.{kind}"] = own.pop(f"{name}.{kind}")
        super().load(method, own)


class Drl(ComposedMethod):
    """Weighted token-wise interaction of words and frames."""

    name = "drl"
    title = "DRL (WTI)"
    paper = "Wang et al., DRL, arXiv 2203.07111"
    Config = DrlConfig
    recipe: ClassVar[Mapping[str, object]] = {**CLIP4CLIP, **DECORD}
    authors = DrlAuthors(
        {
            "frame_position_embeddings.": "pooling.frame_positions.",
            "transformerClip.resblocks.": "pooling.transformer.",
            "text_weight_fc.": "interaction.word_net.",
            "video_weight_fc.": "interaction.frame_net.",
            "cross.embeddings.position_embeddings.": "interaction.cross.positions.",
            "cross.transformer.resblocks.": "interaction.cross.blocks.",
            "cross.pooler.ln_pool.": "interaction.cross.norm.",
            "cross.pooler.dense.": "interaction.cross.dense.",
            "similarity_dense.": "interaction.cross.similarity.",
        }
    )
