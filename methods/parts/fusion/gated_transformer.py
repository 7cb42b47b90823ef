"""AVIGATE's fusion: an audio resampler and a transformer whose sound passes through two gates per layer.

Jeong et al., "Learning Audio-guided Video Representation with Gated Attention for Video-Text Retrieval",
CVPR 2025 (arXiv 2504.02397), section 3. No text enters; a clip is encoded once. The released
cross-attention adds -1e4 to every logit of a padded frame's row, which softmax ignores; it is left out.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self, cast

import torch
from torch import Tensor, nn

from core.authors import ClipTextWeights
from core.batch import Videos
from core.method import Dimensions
from methods.parts.audio import AudioProjection, counted_states, pooled_states, required_audio
from methods.parts.config import Alignment, ComposedConfig
from methods.parts.fusion.base import Fusion, required_audio_width
from methods.parts.kinds import FUSIONS
from methods.parts.transformer import (
    LAYER_NORM_EPS,
    Attention,
    AttentionOverMany,
    TransformerBlock,
    check_positions,
    copy_clip_blocks,
    copy_clip_positions,
    initialise_normal,
    key_bias,
    quick_gelu,
    transformer_heads,
    with_positions,
)


class BiaslessMlp(nn.Module):
    """`W2 qgelu(W1 x)` without biases; the names of its two maps are given, they are the checkpoint's."""

    def __init__(self, first: str, second: str, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.add_module(first, nn.Linear(inputs, hidden, bias=False))
        self.add_module(second, nn.Linear(hidden, outputs, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """`(..., inputs)` -> `(..., outputs)`."""
        first, second = self.children()
        # W2 qgelu(W1 x)
        result: Tensor = second(quick_gelu(first(x)))
        return result


class ResamplerBlock(TransformerBlock):
    """Query tokens attend themselves, then the audio tokens, which no layer updates."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.cross_attn: nn.Module = AttentionOverMany(width, heads)
        self.ln_3 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)

    def resample(self, queries: Tensor, audio: Tensor, audio_mask: Tensor | None) -> Tensor:
        """Queries `(V, Q, D)`, audio `(V, T, D)` under `audio_mask` `(V, T)` bool -> `(V, Q, D)`."""
        h = self.ln_1(queries)
        # q <- q + attention(LN1 q, LN1 q)
        queries = queries + self.attn(h, h)
        source = self.ln_3(audio)
        # q <- q + attention(LN3 q, LN3 audio): one LayerNorm for both sides, as released
        queries = queries + self.cross_attn(self.ln_3(queries), source, key_bias(audio_mask, source.dtype))
        # q <- q + MLP(LN2 q)
        queries = queries + self.mlp(self.ln_2(queries))
        return queries


class GatedFusionBlock(TransformerBlock):
    """A CLIP block behind a gated cross-attention to the sound and a gated feed-forward layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.attn_gate = BiaslessMlp("ag_fc", "ag_proj", 2 * width, width // 2, 1)
        self.ff_gate = BiaslessMlp("fg_fc", "fg_proj", 2 * width, width // 2, 1)
        self.cross_attn: nn.Module = Attention(width, heads)
        self.cross_ff = BiaslessMlp("cross_fc", "cross_proj", width, 4 * width, width)
        self.ln_3 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.ln_4 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)

    def gates(self, frames: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Attention and feed-forward gate `(V, 1)` each, in (-1, 1), from the block's input.

        The mean over frames is over all slots, padding included, as released.
        """
        clip = torch.cat([frames.mean(1), audio.mean(1)], dim=-1)
        # g = tanh(W2 qgelu(W1 [mean f; mean a])), one number per clip
        return self.attn_gate(clip).tanh(), self.ff_gate(clip).tanh()

    def fuse(self, frames: Tensor, audio: Tensor) -> Tensor:
        """Frames `(V, F, D)` and resampled audio `(V, Q, D)` -> `(V, F, D)`."""
        attention, feed_forward = (gate[:, None] for gate in self.gates(frames, audio))
        # x <- x + g_attention attention(LN3 x, audio)
        frames = frames + attention * self.cross_attn(self.ln_3(frames), audio)
        # x <- x + g_forward FF(LN4 x)
        frames = frames + feed_forward * self.cross_ff(self.ln_4(frames))
        # the block of CLIP itself, without a gate
        fused: Tensor = self(frames)
        return fused


def branch(blocks: Sequence[GatedFusionBlock], frames: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Frames `(V, F, D)` through a gated transformer over `memory` `(V, Q, D)`.

    Returns its output and both gates of each layer, attention first, `(V, layers, 2)`.
    """
    gates = []
    for block in blocks:
        gates.append(torch.cat(block.gates(frames, memory), dim=-1))
        frames = block.fuse(frames, memory)
    return frames, torch.stack(gates, dim=1)


@FUSIONS.kind("gated-transformer")
class GatedTransformer(Fusion):
    """The resampler and the gated transformer; fused frames are `r x_last + (1 - r) x_0`, r = `residual`."""

    gate_axis: ClassVar[Literal["frame", "layer"] | None] = "layer"

    def __init__(
        self,
        width: int,
        projection: AudioProjection,
        alignment: Alignment,
        *,
        queries: int,
        resampler_layers: int,
        layers: int,
        heads: int,
        residual: float,
        tokens: int | None,
        positions: int,
    ) -> None:
        super().__init__()
        self.projection = projection
        self.alignment = alignment
        self.residual = residual
        self.tokens = tokens
        self.query_tokens = nn.Parameter(nn.init.orthogonal_(torch.empty(width, queries)))
        self.query_positions = nn.Embedding(queries, width)
        self.frame_positions = nn.Embedding(positions, width)
        self.resampler = nn.ModuleList(ResamplerBlock(width, heads) for _ in range(resampler_layers))
        self.transformer = nn.ModuleList(GatedFusionBlock(width, heads) for _ in range(layers))
        for part in (self.query_positions, self.frame_positions, self.resampler, self.transformer):
            initialise_normal(part)

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """Raises `BenchError` where there is no sound, too many frames, or heads do not divide the width."""
        audio_width = required_audio_width(dimensions, f"fusion={config.fusion}", "fusion=none")
        # AVIGATE's projection is a bare matrix, N(0, Da^-1) as CLIP's own projections.
        projection = AudioProjection(
            config.audio_projection, audio_width, dimensions.width, config.null_audio, bias=False
        )
        if projection.linear is not None:
            nn.init.normal_(projection.linear.weight, std=audio_width**-0.5)
        check_positions(config, dimensions.frames)
        return cls(
            dimensions.width,
            projection,
            config.audio_alignment,
            queries=config.queries,
            resampler_layers=config.resampler_layers,
            layers=config.transformer_layers,
            heads=transformer_heads(config, dimensions.width),
            residual=config.residual,
            tokens=config.audio_tokens,
            positions=config.positions,
        )

    def initialise_from_clip(self, clip: ClipTextWeights) -> tuple[str, ...]:
        """CLIP's text layers into both transformers, its positions into the frame positions."""
        copied = {
            "fusion.frame_positions": copy_clip_positions(self.frame_positions, clip),
            "fusion.resampler": copy_clip_blocks(self.resampler, clip),
            "fusion.transformer": copy_clip_blocks(self.transformer, clip),
        }
        return tuple(name for name, done in copied.items() if done)

    def audio_tokens(self, videos: Videos) -> tuple[Tensor, Tensor | None]:
        """Projected audio tokens `(V, T, D)` and which of them are attended, `(V, T)` bool (None: all).

        All encoder states, or `tokens` averages of them. Under `clip` states behind the clip's end are not
        attended; the released code has no audio mask. A silent clip's tokens are all attended.
        """
        audio, states = required_audio(videos), counted_states(videos, self.alignment)
        if self.tokens is not None:
            bins = torch.full_like(states, self.tokens)
            # the same number of tokens for every clip, whatever its length
            audio = pooled_states(audio, states, bins, self.tokens)
        else:  # what no clip attends; a silent clip's tokens are all alike, their number does not matter
            audio = audio[:, : max(1, int(states.max()))]
        everywhere = torch.ones(audio.shape[:2], dtype=torch.bool, device=audio.device)
        tokens = self.projection(audio.to(self.query_tokens.dtype), videos.has_audio, everywhere)
        if self.tokens is not None or self.alignment == "released" or videos.audio_valid is None:
            return tokens, None
        # states behind the end of a clip are hidden; a silent clip attends its one kind of token
        inside = torch.arange(audio.shape[1], device=audio.device) < states[:, None]
        return tokens, inside if videos.has_audio is None else inside | ~videos.has_audio[:, None]

    def resampled(self, videos: Videos) -> Tensor:
        """The sound as query tokens `(V, Q, D)`."""
        audio, mask = self.audio_tokens(videos)
        # the release keeps its query tokens as columns
        queries = (self.query_tokens.T + self.query_positions.weight).expand(len(videos), -1, -1)
        for block in self.resampler_blocks():
            queries = block.resample(queries, audio, mask)
        return queries

    def resampler_blocks(self) -> Sequence[ResamplerBlock]:
        """The resampler's layers, first to last."""
        return cast(Sequence[ResamplerBlock], self.resampler)

    def fusion_blocks(self) -> Sequence[GatedFusionBlock]:
        """The gated transformer's layers, first to last."""
        return cast(Sequence[GatedFusionBlock], self.transformer)

    def visual(self, frames: Tensor) -> Tensor:
        """Frames with their positions, `(V, F, D)`."""
        return with_positions(frames, self.frame_positions)

    def encode(self, videos: Videos) -> tuple[Tensor, Tensor | None]:
        """Fused frames `(V, F, D)`; nothing is left for a text to do."""
        start = self.visual(videos.frames)
        frames, _ = branch(self.fusion_blocks(), start, self.resampled(videos))
        # r x_last + (1 - r) x_0
        return self.residual * frames + (1 - self.residual) * start, None

    def gates(self, texts: Tensor, videos: Videos) -> Tensor:
        """Attention gate of each clip and layer `(B, layers)`; the text plays no part."""
        _, gates = branch(self.fusion_blocks(), self.visual(videos.frames), self.resampled(videos))
        return gates[..., 0]
