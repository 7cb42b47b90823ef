"""GAID: a gate per frame mixes sound into the picture, and the text moves a fixed step in scoring."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

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
from methods.tmass import DEAD_SCALAR
from methods.xpool import FAMILY_RECIPE, POOLING_KEYS


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


class Gaid(ComposedMethod):
    """Cosine of the shifted text with frames that it gated and pooled."""

    name = "gaid"
    title = "GAID"
    paper = "GAID, frame-level gated audio-visual integration with directional perturbation, arXiv 2508.01711"
    Config = GaidConfig
    recipe = FAMILY_RECIPE
    # Ours: the paper's Table 8. Released: the commands. VATEX's loader scores the first caption only.
    dataset_defaults: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "msrvtt": {"training.lr_new": 3e-5},
        "didemo": {
            "config.support_weight": Ours(0.1, released=0.0),
            "config.dropout": 0.4,
            "training.epochs": Ours(5, released=8),
        },
        "lsmdc": {"config.support_weight": Ours(0.3, released=0.5)},
        "vatex": {
            "config.support_weight": Ours(0.4, released=0.0),
            "config.dropout": 0.4,
            "data.captions": Ours("all", released="first-caption"),
        },
    }
    own_caption_scoring = True
    reference_keys: ClassVar[Mapping[str, str]] = {
        **POOLING_KEYS,
        "linear.": "fusion.projection.linear.",
        "linear.null": "fusion.projection.null",
        "gate_fc.": "fusion.gate.",
        "stochastic.alpha": "perturbation.alpha",
        "stochastic.std_branch.linear_proj.": "perturbation.radius.",
    }
    dead_keys = frozenset({DEAD_SCALAR})

    @classmethod
    def reference_config(cls, state: Mapping[str, Tensor]) -> Mapping[str, str]:
        """Released: a linear map for wav2vec2 and AST, whose bias it leaves of the zeros of a silent clip.

        Whisper-base enters raw. Of an AST it repeats one vector for all frames, where ours has its states.
        """
        if "linear.weight" in state:
            return {"audio_projection": "linear", "null_audio": "learned"}
        return {"audio_projection": "none"}

    @classmethod
    def reference_audio_width(cls, state: Mapping[str, Tensor]) -> int | None:
        """What the linear map takes; without one the gate's third, the joint width."""
        if "linear.weight" in state:
            return state["linear.weight"].shape[1]
        return state["gate_fc.weight"].shape[1] // 3 if "gate_fc.weight" in state else None

    def load_reference(self, state: Mapping[str, Tensor]) -> None:
        """As the base; the null vector, where there is one, is what the linear map makes of zeros."""
        own = dict(state)
        if self.parts.null_audio == "learned" and "linear.bias" in own:
            own["linear.null"] = own["linear.bias"]
        super().load_reference(own)
