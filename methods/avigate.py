"""AVIGATE: sound enters through two gates per layer of a transformer over the frames, before any text.

Jeong et al., arXiv 2504.02397, section 3; the first four stand in methods/parts/fusion/gated_transformer.py:

    a  = resampler(queries, sound)                      resampled
    g  = tanh(MLP [mean f; mean a]), two per layer      GatedFusionBlock.gates
    f' = f + g_a attention(f, a), + g_f feed-forward    GatedFusionBlock.fuse
    u  = r f' + (1 - r) f                               encode
    v  = mean of the directions of u                    methods/parts/pooling/mean.py: mean_of_directions
    s  = (cos(t, v) + log-sum-exp over frames) / 2      methods/parts/interaction/multi_grained.py: forward
    m  = min(beta (1 - intra-modal cosine), delta)      methods/parts/objective/margin.py: adaptive_margin
    L  = InfoNCE of s + m in both directions            methods/composed.py: loss
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from core.axes import Ours
from methods.clip4clip import FROZEN_CLIP
from methods.composed import ComposedAuthors, ComposedMethod
from methods.parts.config import ComposedConfig, FusionKind, InteractionKind, NonNegative, Projection
from methods.parts.layouts import depth, temporal
from methods.parts.recipes import CLIP4CLIP


class AvigateConfig(ComposedConfig):
    """AVIGATE's defaults."""

    fusion: FusionKind = "gated-transformer"
    """Audio resampler and gated fusion transformer."""
    interaction: InteractionKind = "multi-grained"
    """Mean of the global cosine and the log-sum-exp over frames."""
    audio_projection: Projection = "linear"
    """A bare matrix from the AST's 768 channels to the joint width."""
    margin_beta: NonNegative = 0.2
    """Slope of the adaptive margin (lambda in the paper)."""


class AvigateAuthors(ComposedAuthors):
    """AVIGATE's checkpoints."""

    resampler: ClassVar[str] = "transformer_Fusion.resblocks."
    """Where they keep the audio resampler."""

    def config(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Queries, the layers of both transformers, their heads and the rows of frame positions."""
        layers = depth(state, self.resampler)
        resampler = {"resampler_layers": layers} if layers else {}
        queries = {"queries": state["query_tokens"].shape[1]} if "query_tokens" in state else {}
        return {**queries, **resampler, **temporal(state)}

    def audio_width(self, state: Mapping[str, Tensor]) -> int | None:
        """What the projection takes, a bare matrix."""
        names = ("audio_projection", "clip.audio_projection")
        return next((state[name].shape[0] for name in names if name in state), None)

    def load(self, method: ComposedMethod, state: Mapping[str, Tensor]) -> None:
        """The released projection is a bare matrix `(Da, D)`, the transpose of our weight."""
        own = dict(state)
        for key in ("audio_projection", "clip.audio_projection"):
            if key in own:
                own["audio_projection.weight"] = own.pop(key).T
        super().load(method, own)


class Avigate(ComposedMethod):
    """Multi-grained similarity of the text with frames that the sound has guided."""

    name = "avigate"
    title = "AVIGATE"
    paper = "Jeong et al., AVIGATE, CVPR 2025, arXiv 2504.02397"
    Config = AvigateConfig
    recipe: ClassVar[Mapping[str, object]] = {
        **CLIP4CLIP,
        "training.lr_factors": {"query_tokens": 100.0},
        "training.frozen_clip_prefixes": Ours((), released=FROZEN_CLIP),
        "data.channels": Ours("mean", released="left"),
        "audio_encoder": Ours("ast:avigate", released="ast:avigate-random"),
    }
    authors = AvigateAuthors(
        {
            "query_tokens": "fusion.query_tokens",
            "query_position_embeddings.": "fusion.query_positions.",
            "frame_position_embeddings.": "fusion.frame_positions.",
            AvigateAuthors.resampler: "fusion.resampler.",
            "transformerClip.resblocks.": "fusion.transformer.",
            "audio_projection.weight": "fusion.projection.linear.weight",
        }
    )
