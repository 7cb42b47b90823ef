"""The fields of a composed method: what each means, its kinds, and what it declares to the engine.

Nothing here imports torch; `core.axes` says what the annotations mean.
"""

from typing import Annotated, Literal

from pydantic import Field

from core.axes import ANY, Axis, InProtocol, Only, Released, ScoringNoise, SmallWorld
from core.config import MethodConfig
from core.scoring.names import NoiseMode
from methods.parts.kinds import ENRICHMENTS, FUSIONS, INTERACTIONS, PERTURBATIONS, POOLINGS

EnrichmentKind = Annotated[str, ENRICHMENTS]
FusionKind = Annotated[str, FUSIONS]
PoolingKind = Annotated[str, POOLINGS]
InteractionKind = Annotated[str, INTERACTIONS]
PerturbationKind = Annotated[str, PERTURBATIONS]

Alignment = Literal["clip", "released"]
Branches = Literal["both", "spatial", "temporal"]
Cdcr = Literal["none", "drawn", "matched", "weighted"]
GateInput = Literal["frame", "audio", "text"]
GateLevel = Literal["sample", "frame", "token"]
LossWeights = Literal["uniform", "positive-cosine", "positive-cosine-released"]
NullAudio = Literal["zeros", "learned"]
Prior = Literal["uniform", "normal"]
Projection = Literal["none", "linear", "linear-norm"]

Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]

Gated = Only(fusion=("sample", "frame", "token"))
Resampled = Only(fusion=("gated-transformer", "gated-speech"))
Spoken = Only(fusion="gated-speech")
FrameTransformer = Only(
    fusion=("gated-transformer", "gated-speech"),
    pooling=("sequence-transformer", "contextual", "softmax-frames"),
    interaction="xti",
)
Decorrelated = Only(cdcr=("drawn", "matched", "weighted"))
Conceptual = Only(interaction="concepts")
Em = Only(interaction="em")
Captioned = Only(enrichment=("case", "caste-case"))
Perturbed = Only(perturbation=ANY)


class TokenConfig(MethodConfig):
    """The axes of interactions that look at single words, frames or concepts."""

    weight_layers: Annotated[int, Field(ge=1, le=3), Only(interaction="wti")] = 2
    """Linear maps of the network that weights words and frames under `wti` (`wti_arch` in the release)."""
    word_padding: Annotated[Literal["released", "masked"], Only(interaction="multi-grained-words")] = (
        "released"
    )
    """X-CLIP: padded words and frames take part in every softmax and matrix (released; a checkpoint is bound
    to the length of its rows), or are masked."""
    cdcr: Annotated[Cdcr, Only(interaction=("wti", "ti", "cosine"))] = "none"
    """DRL's decorrelation: off, of one drawn word and frame per pair (cdcr 1), of every token with its best
    partner (2), of these weighted as in WTI (3). Under `cosine` any of these is that of pooled vectors."""
    cdcr_weight: Annotated[NonNegative, Decorrelated] = 1e-3
    """Weight of the decorrelation."""
    cdcr_diagonal: Annotated[NonNegative, Decorrelated] = 0.11
    """alpha1: weight of the correlation of a channel with itself; .14 in the release's ablation script."""
    cdcr_others: Annotated[NonNegative, Decorrelated] = 0.0
    """alpha2: weight of the others; 0 as published, where nothing is decorrelated."""
    frame_temperature: Annotated[Positive, Only(pooling="softmax-frames")] = 3.0
    """Temperature of `softmax-frames` pooling."""
    concepts: Annotated[Count, Conceptual] = 8
    """K, slices of the joint width under `concepts`."""
    decoupling_weight: Annotated[NonNegative, Conceptual] = 1.0
    """Weight of DiCoSA's decoupling loss."""
    decoupling_alpha: Annotated[NonNegative, Conceptual] = 0.01
    """Weight of the correlation of a concept with itself."""
    decoupling_beta: Annotated[NonNegative, Conceptual] = 0.005
    """Weight of the correlation of a concept with the others."""
    bases: Annotated[Count, Em] = 32
    """K, bases of EMCL."""
    em_stages: Annotated[Count, Em] = 9
    """Iterations of EMCL."""
    em_temperature: Annotated[Positive, Em] = 1.0
    """lamd: temperature of EMCL's responsibilities."""
    em_share: Annotated[NonNegative, Em] = 3.0
    """beta: weight of what EMCL's bases rebuild."""
    em_momentum: Annotated[Share, Em] = 0.9
    """What is kept of EMCL's bases after a training step."""


class EnrichmentConfig(MethodConfig):
    """The fields of the enrichment. Objectives are CASE's."""

    enrichment: Annotated[EnrichmentKind, Axis()] = "none"
    """Before fusion and pooling: nothing, one of CAE-AV's modules, or CASTE and then CASE."""
    caste_branches: Annotated[Branches, Only(enrichment=("caste", "caste-case"))] = "both"
    """`both`: CASTE's gate weighs them (released); one alone is an ablation."""
    topk_ratio: Annotated[float, Field(gt=0, le=1), Only(enrichment=ANY)] = 0.3
    """Share of a frame's tokens that CASTE enriches and CASE emphasises."""
    segment_tokens: Annotated[Count, Only(enrichment=ANY)] = 4
    """Averages of audio states beside each frame (ours)."""
    enrichment_heads: Annotated[Count, Captioned] = 8
    """Attention heads of CASE; they divide the joint width and the audio encoder's."""
    head_width: Annotated[Count, Captioned] = 512
    """Width in which the objectives compare picture, sound and captions."""
    caption_weight: Annotated[NonNegative, Captioned] = 0.1
    """Weight of caption-to-modality InfoNCE. The three objectives are reconstructed, for they are missing
    from the released code, and the weights are ours; 0 switches one off."""
    consistency_weight: Annotated[NonNegative, Captioned] = 0.1
    """Weight of visual-audio consistency; reconstructed."""
    entropy_weight: Annotated[float, Captioned] = 0.01
    """Weight of the entropy of CASE's choice; reconstructed. Positive sharpens the choice, negative flattens
    it."""


class ComposedConfig(TokenConfig, EnrichmentConfig):
    """Enrichment x fusion x pooling x interaction x perturbation x objective.

    Fields of parts not chosen have no effect.
    """

    fusion: Annotated[FusionKind, Axis(column="fusion", absent="none")] = "none"
    """How sound enters: not, by GAID's gate per clip, frame or element, or by AVIGATE's gated transformer."""
    pooling: Annotated[PoolingKind, Axis(column="pooling")] = "mean"
    """How frames become what a text is compared with; `top-k` and `attention` are X-Pool's baselines."""
    interaction: Annotated[InteractionKind, Axis()] = "cosine"
    """How a text and a pooled video become a similarity; `multi-grained` also looks at single frames."""
    perturbation: Annotated[PerturbationKind, Axis(column="perturbation", absent="none")] = "none"
    """How a text is perturbed: not, T-MASS's random points (`stp`), GAID's blend (`dasp`)."""

    pairs: Annotated[Literal["paired", "all-pairs"], InProtocol("training_pairs")] = "paired"
    """`paired` (released): in training, video i is fused, and the radius taken, with text i only, and the
    result compared with all texts. `all-pairs`: both for every pair of the batch, as in scoring."""
    logit_scale_init: Annotated[float | None, Field(ge=-10, le=4.6052), SmallWorld(3.0)] = None
    """Initial logarithm of the logit scale; None is CLIP's, about ln 100."""
    logit_scale_trainable: Annotated[bool, SmallWorld(True)] = True
    """Released: trainable, except GAID, whose scale is a constant."""

    audio_alignment: Annotated[
        Alignment, Only(fusion=ANY, enrichment=ANY), Released("released"), InProtocol("audio_alignment")
    ] = "clip"
    """`clip`: bin i of the sound covers what frame i covers. `released` (GAID's code): all states of the
    encoder in F bins, 2.5 s each with Whisper, whatever the clip's length. For the gated transformer `clip`
    leaves out tokens behind the clip's end; its released code has no audio mask."""
    audio_projection: Annotated[Projection, Only(fusion=ANY), SmallWorld("linear-norm")] = "none"
    """From the audio encoder's width to the joint width. `none` (released GAID with Whisper-base) feeds the
    averaged states raw; `linear` is what it does for encoders of another width."""
    null_audio: Annotated[NullAudio, Only(fusion=ANY)] = "zeros"
    """What stands in for a clip without sound: zeros (paper and released code) or a learned vector (ours)."""
    gate_inputs: Annotated[tuple[GateInput, ...], Field(min_length=1), Gated] = ("frame", "audio", "text")
    """What the gate sees; fewer than all are controls of ours."""

    heads: Annotated[Count, Only(pooling="text-conditioned")] = 1
    """Attention heads of text-conditioned pooling (`num_mha_heads` in the released code)."""
    dropout: Annotated[float, Field(ge=0, lt=1), Only(pooling="text-conditioned")] = 0.3
    """Dropout of text-conditioned pooling's linear branch; .4 on some data sets."""
    top_k: Annotated[Count, Only(pooling="top-k")] = 3
    """Frames that top-k pooling adds up."""
    attention_temperature: Annotated[Positive, Only(pooling="attention")] = 0.05
    """Temperature of attention pooling's softmax."""

    prior: Annotated[Prior, Perturbed] = "uniform"
    """Noise of stp and dasp: U[0, 1) in both released codes, `normal` in both papers."""
    prior_std: Annotated[Positive, Perturbed, Only(prior="normal")] = 1.0
    """Standard deviation under `prior=normal`; T-MASS's LSMDC command uses .003."""
    trials: Annotated[Count, Only(perturbation="stp")] = 20
    """Random points per pair when stp scores."""
    noise: Annotated[NoiseMode, Only(perturbation="stp"), Released("fresh"), ScoringNoise()] = "per-text"
    """Noise of stp under the `leak-free` condition: one draw per text and trial shared by all videos, or
    `fresh` for every pair (released; always used under the `released` condition)."""
    alpha: Annotated[float, Only(perturbation="dasp")] = 0.5
    """Initial blend of dasp."""
    support_weight: Annotated[NonNegative, Perturbed] = 0.0
    """Weight of the support-text loss; needs a perturbation."""
    loss_weights: LossWeights = "uniform"
    """Weights of the pairs in InfoNCE: none (paper), or by positive cosines (released GAID)."""

    temperature: Annotated[Positive, Only(interaction="multi-grained")] = 1.0
    """tau of the multi-grained log-sum-exp."""
    margin_beta: NonNegative = 0.0
    """beta of AVIGATE's adaptive margin; 0 switches the margin off."""
    margin_delta: Annotated[NonNegative, Only(margin_beta=ANY)] = 0.1
    """Largest margin, delta."""
    queries: Annotated[Count, Resampled] = 12
    """Query tokens of the audio resampler."""
    resampler_layers: Annotated[Count, Resampled, SmallWorld(2)] = 4
    """Layers of the audio resampler."""
    transformer_layers: Annotated[Count, FrameTransformer, SmallWorld(2)] = 4
    """Layers of the gated transformer or of the sequence transformer."""
    transformer_heads: Annotated[Count | None, FrameTransformer, SmallWorld(4)] = None
    """Heads of these transformers; None is one per 64 channels, as in CLIP's text tower."""
    positions: Annotated[Count, FrameTransformer] = 77
    """Rows of these transformers' frame position table, CLIP's context; at least the frames of a clip."""
    residual: Annotated[Share, Only(fusion="gated-transformer")] = 0.05
    """Share of the gated transformer's output in the fused frames."""
    audio_share: Annotated[NonNegative, Spoken] = 0.5
    """SAVE: weight of the branch over the sound in the fused frames."""
    speech_share: Annotated[NonNegative, Spoken] = 0.5
    """SAVE: weight of the branch over what is said."""
    visual_share: Annotated[NonNegative, Spoken] = 1.0
    """SAVE: weight of the frames themselves."""
    alignment_weight: Annotated[NonNegative, Spoken] = 1.0
    """SAVE: weight of the alignment of sound with picture under a teacher; without a file of its embeddings
    (`teacher`) the term is left out."""
    audio_tokens: Annotated[Count | None, Resampled, SmallWorld(24)] = None
    """Audio tokens that enter the resampler: None for all encoder states (released), or that many averages
    of them (ours, for small machines)."""
