"""The axes of a composed method, one field each."""

from typing import Annotated, Literal

from pydantic import Field

from core.scoring.noise import NoiseMode
from methods.parts.audio import Alignment, NullAudio, Projection
from methods.parts.enrichment import EnrichmentConfig
from methods.parts.fusion import GateInput
from methods.parts.objective import LossWeights
from methods.parts.perturbation import Prior

FusionKind = Literal["none", "sample", "frame", "token", "gated-transformer"]
PoolingKind = Literal[
    "mean", "sequence-transformer", "text-conditioned", "multi-grained", "top-k", "attention"
]
PerturbationKind = Literal["none", "stp", "dasp"]

Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class ComposedConfig(EnrichmentConfig):
    """Enrichment x fusion x pooling x perturbation x objective; fields of parts not chosen have no effect."""

    fusion: FusionKind = "none"
    """How sound enters: not, by GAID's gate per clip, frame or element, or by AVIGATE's gated transformer."""
    pooling: PoolingKind = "mean"
    """How frames become what a text is compared with; `top-k` and `attention` are X-Pool's baselines."""
    perturbation: PerturbationKind = "none"
    """How a text is perturbed: not, T-MASS's random points (`stp`), GAID's blend (`dasp`)."""

    pairs: Literal["paired", "all-pairs"] = "paired"
    """`paired` (released): in training, video i is fused, and the radius taken, with text i only, and the
    result held against all texts. `all-pairs`: both for every pair of the batch, as in scoring."""
    logit_scale_init: float | None = Field(default=None, ge=-10, le=4.6052)
    """Initial logarithm of the logit scale; None is CLIP's, about ln 100."""
    logit_scale_trainable: bool = True
    """Released: trainable, except GAID, whose scale is a constant."""

    audio_alignment: Alignment = "clip"
    """`clip`: bin i of the sound covers what frame i covers. `released` (GAID's code): all states of the
    encoder in F bins, 2.5 s each with Whisper, whatever the clip's length. For the gated transformer `clip`
    leaves out tokens behind the clip's end; its released code has no audio mask."""
    audio_projection: Projection = "none"
    """From the audio encoder's width to the joint width. `none` (released GAID with Whisper-base) feeds the
    averaged states raw; `linear` is what it does for encoders of another width."""
    null_audio: NullAudio = "zeros"
    """What stands in for a clip without sound: zeros (paper and released code) or a learned vector (ours)."""
    gate_inputs: Annotated[tuple[GateInput, ...], Field(min_length=1)] = ("frame", "audio", "text")
    """What the gate sees; fewer than all are controls of ours."""

    heads: Count = 1
    """Attention heads of text-conditioned pooling (`num_mha_heads` in the released code)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Dropout of text-conditioned pooling's linear branch; .4 on some data sets."""
    top_k: Count = 3
    """Frames that top-k pooling adds up."""
    attention_temperature: Positive = 0.05
    """Temperature of attention pooling's softmax."""

    prior: Prior = "uniform"
    """Noise of stp and dasp: U[0, 1) in both released codes, `normal` in both papers."""
    prior_std: Positive = 1.0
    """Standard deviation under `prior=normal`; T-MASS's LSMDC command uses .003."""
    trials: Count = 20
    """Random points per pair when stp scores."""
    noise: NoiseMode = "per-text"
    """Noise of stp under the `query` condition: one draw per text and trial shared by all videos, or `fresh`
    for every pair (released; always used under the `released` condition)."""
    alpha: float = 0.5
    """Initial blend of dasp."""
    support_weight: NonNegative = 0.0
    """Weight of the support-text loss; needs a perturbation."""
    loss_weights: LossWeights = "uniform"
    """Weights of the pairs in InfoNCE: none (paper), or by positive cosines (released GAID)."""

    temperature: Positive = 1.0
    """tau of the multi-grained log-sum-exp."""
    margin_beta: NonNegative = 0.0
    """beta of AVIGATE's adaptive margin; 0 switches the margin off."""
    margin_delta: NonNegative = 0.1
    """Largest margin, delta."""
    queries: Count = 12
    """Query tokens of the audio resampler."""
    resampler_layers: Count = 4
    """Layers of the audio resampler."""
    transformer_layers: Count = 4
    """Layers of the gated transformer or of the sequence transformer."""
    transformer_heads: Count | None = None
    """Heads of these transformers; None is one per 64 channels, as in CLIP's text tower."""
    positions: Count = 77
    """Rows of these transformers' frame position table, CLIP's context; at least the frames of a clip."""
    residual: Share = 0.05
    """Share of the gated transformer's output in the fused frames."""
    audio_tokens: Count | None = None
    """Audio tokens that enter the resampler: None for all encoder states (released), or that many averages
    of them (ours, for small machines)."""
