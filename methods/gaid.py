"""GAID: a gate per frame mixes sound into the picture, and the text moves a fixed step in scoring.

arXiv 2508.01711, section 3:

    a_i = mean of the sound beside frame i              methods/parts/audio.py: frame_audio
    g_i = sigmoid(W [f_i; a_i; t] + b)              (1) methods/parts/fusion/gate.py: gate
    u_i = g_i a_i + (1 - g_i) f_i                   (2) methods/parts/fusion/gate.py: mixed
    v   = X-Pool's attention of t over u                methods/parts/pooling/text_conditioned.py: forward
    S   = exp(W c + b), c_i = cos(t, u_i)               methods/parts/perturbation/base.py: Ball.radii
    t'  = t + (alpha x + 1 - alpha) S, x random     (3) methods/parts/perturbation/dasp.py: blended_text
    t_  = t + S (v - t) / |v - t|, the support          methods/parts/perturbation/base.py: support_text
    L   = InfoNCE(t') + w InfoNCE(t_)                   methods/composed.py: loss
    s   = cos(t + alpha S, v)                       (4) methods/parts/perturbation/dasp.py: deterministic_text

Released: every video is gated and pooled by its own caption, whatever the query
(methods/released/own_captions.py).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from torch import Tensor

from core.axes import Ours, Released
from methods.composed import ComposedMethod
from methods.parts.config import (
    ComposedConfig,
    FusionKind,
    LossWeights,
    NonNegative,
    PerturbationKind,
    PoolingKind,
)
from methods.tmass import DEAD_SCALAR, TMassAuthors
from methods.xpool import FAMILY_RECIPE, ON_MSRVTT, POOLING_KEYS


class GaidConfig(ComposedConfig):
    """GAID's defaults; where the paper and the released code disagree the field says so."""

    fusion: FusionKind = "frame"
    """A gate per frame; `sample` and `token` are the other levels of the paper's Table 5."""
    pooling: PoolingKind = "text-conditioned"
    """X-Pool's cross-attention over the fused frames."""
    perturbation: PerturbationKind = "dasp"
    """Noise in training, the fixed step alpha * radius in scoring."""
    loss_weights: Annotated[LossWeights, Released("positive-cosine-released")] = "uniform"
    """Paper: plain InfoNCE. Released: weighted by positive cosines (`positive-cosine-released`)."""
    support_weight: NonNegative = 0.8
    """Paper: .8 MSR-VTT, .1 DiDeMo, .3 LSMDC, .4 VATEX. Released commands: .8 / 0 / .5 / 0."""
    logit_scale_trainable: bool = False
    """Released: a constant, CLIP's 100; the paper does not say."""


class GaidAuthors(TMassAuthors):
    """GAID's checkpoints."""

    def config(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Released: a linear map for wav2vec2 and AST, whose bias it leaves of the zeros of a silent clip.

        Whisper-base enters raw. Of an AST it repeats one vector for all frames, where ours has its states.
        """
        if "linear.weight" in state:
            return {"audio_projection": "linear", "null_audio": "learned"}
        return {"audio_projection": "none"}

    def audio_width(self, state: Mapping[str, Tensor]) -> int | None:
        """What the linear map takes; without one the gate's third, the joint width."""
        if "linear.weight" in state:
            return state["linear.weight"].shape[1]
        return state["gate_fc.weight"].shape[1] // 3 if "gate_fc.weight" in state else None

    def load(self, method: ComposedMethod, state: Mapping[str, Tensor]) -> None:
        """The null vector, where there is one, is what the linear map makes of zeros."""
        own = dict(state)
        if method.parts.null_audio == "learned" and "linear.bias" in own:
            own["linear.null"] = own["linear.bias"]
        super().load(method, own)


class Gaid(ComposedMethod):
    """Cosine of the shifted text with frames that it gated and pooled."""

    name = "gaid"
    title = "GAID"
    paper = "GAID, frame-level gated audio-visual integration with directional perturbation, arXiv 2508.01711"
    Config = GaidConfig
    # Ours: the paper's Table 8. Released: the commands. VATEX's loader scores the first caption only.
    recipe: ClassVar[Mapping[str, object]] = {
        **FAMILY_RECIPE,
        **ON_MSRVTT,
        "data.resize": Ours("antialiased", released="tensor-antialiased"),
        "config.support_weight@didemo": Ours(0.1, released=0.0),
        "config.dropout@didemo": 0.4,
        "training.epochs@didemo": Ours(5, released=8),
        "config.support_weight@lsmdc": Ours(0.3, released=0.5),
        "config.support_weight@vatex": Ours(0.4, released=0.0),
        "config.dropout@vatex": 0.4,
        "data.captions@vatex": Ours("all", released="first-caption"),
        "training.epochs@avworld": 48,
    }
    own_captions = True
    authors = GaidAuthors(
        {
            **POOLING_KEYS,
            "linear.": "fusion.projection.linear.",
            "linear.null": "fusion.projection.null",
            "gate_fc.": "fusion.gate.",
            "stochastic.alpha": "perturbation.alpha",
            "stochastic.std_branch.linear_proj.": "perturbation.radius.",
        },
        frozenset({DEAD_SCALAR}),
    )
