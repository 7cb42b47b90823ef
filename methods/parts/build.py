"""From a configuration and the backbones' shapes to parts."""

import torch
from torch import nn

from core.errors import BenchError
from core.method import Dimensions
from methods.parts.audio import AudioProjection
from methods.parts.conditioned import AttentionPooling, TextConditionedPooling, TopKPooling
from methods.parts.config import ComposedConfig
from methods.parts.enrichment import CasteCase, Enrichment
from methods.parts.fusion import Fusion, GateFusion, NoFusion
from methods.parts.gated_transformer import GatedTransformer
from methods.parts.perturbation import DeterministicText, Perturbation, StochasticText
from methods.parts.pooling import MeanPooling, MultiGrainedPooling, Pooling, SequenceTransformerPooling
from methods.parts.transformer import default_heads


def transformer_heads(config: ComposedConfig, width: int) -> int:
    """Heads of a transformer over frames; raises `BenchError` where they do not divide the width."""
    heads = config.transformer_heads or default_heads(width)
    if width % heads:
        raise BenchError(
            f"transformer_heads={heads} does not divide the joint width {width}; choose a divisor"
        )
    return heads


def check_positions(config: ComposedConfig, frames: int) -> None:
    """Raises `BenchError` where a clip has more frames than the position table has rows."""
    if frames > config.positions:
        raise BenchError(f"frames={frames} is more than positions={config.positions}; raise config.positions")


def build_enrichment(config: ComposedConfig, dimensions: Dimensions) -> Enrichment:
    """The enrichment part; raises `BenchError` where the run has no sound or the heads do not fit."""
    if config.enrichment == "none":
        return Enrichment()
    audio_width = required_audio_width(dimensions, f"enrichment={config.enrichment}", "enrichment=none")
    for width, what in ((dimensions.width, "joint width"), (audio_width, "audio encoder's width")):
        if config.enrichment != "caste" and width % config.enrichment_heads:
            raise BenchError(
                f"enrichment_heads={config.enrichment_heads} does not divide the {what} {width}; "
                "choose a divisor"
            )
    return CasteCase(config, dimensions.width, audio_width, config.audio_alignment)


def required_audio_width(dimensions: Dimensions, part: str, without: str) -> int:
    """Da; raises `BenchError` where a part needs sound and the run has none."""
    if dimensions.audio_width is None:
        raise BenchError(f"{part} needs sound, this run has none; choose {without} or an audio encoder")
    return dimensions.audio_width


def build_fusion(config: ComposedConfig, dimensions: Dimensions) -> Fusion:
    """The fusion part; raises `BenchError` where it needs sound and the run has none."""
    if config.fusion == "none":
        return NoFusion()
    audio_width = required_audio_width(dimensions, f"fusion={config.fusion}", "fusion=none")
    width, resampler = dimensions.width, config.fusion == "gated-transformer"
    # AVIGATE's projection is a bare matrix, N(0, Da^-1) as CLIP's own projections.
    projection = AudioProjection(
        config.audio_projection, audio_width, width, config.null_audio, bias=not resampler
    )
    if config.fusion != "gated-transformer":
        return GateFusion(config.fusion, width, projection, config.audio_alignment, config.gate_inputs)
    if projection.linear is not None:
        nn.init.normal_(projection.linear.weight, std=audio_width**-0.5)
    check_positions(config, dimensions.frames)
    return GatedTransformer(
        width,
        projection,
        config.audio_alignment,
        queries=config.queries,
        resampler_layers=config.resampler_layers,
        layers=config.transformer_layers,
        heads=transformer_heads(config, width),
        residual=config.residual,
        tokens=config.audio_tokens,
        positions=config.positions,
    )


def build_pooling(config: ComposedConfig, dimensions: Dimensions) -> Pooling:
    """The pooling part."""
    width = dimensions.width
    match config.pooling:
        case "mean":
            return MeanPooling()
        case "sequence-transformer":
            check_positions(config, dimensions.frames)
            heads = transformer_heads(config, width)
            return SequenceTransformerPooling(width, config.transformer_layers, heads, config.positions)
        case "text-conditioned":
            return TextConditionedPooling(width, config.heads, config.dropout)
        case "multi-grained":
            return MultiGrainedPooling(config.temperature)
        case "top-k":
            return TopKPooling(config.top_k)
        case "attention":
            return AttentionPooling(config.attention_temperature)


def build_perturbation(config: ComposedConfig, dimensions: Dimensions) -> Perturbation | None:
    """The perturbation part; None where texts stay as they are."""
    shape = (dimensions.frames, dimensions.width, config.prior, config.prior_std)
    match config.perturbation:
        case "none":
            return None
        case "stp":
            return StochasticText(*shape, config.trials)
        case "dasp":
            return DeterministicText(*shape, config.alpha)


def initial_logit_scale(config: ComposedConfig, scale: nn.Parameter) -> None:
    """Sets the logit scale as configured."""
    if config.logit_scale_init is not None:
        with torch.no_grad():
            scale.fill_(config.logit_scale_init)
    scale.requires_grad_(config.logit_scale_trainable)
