"""Enrichment: a stage before fusion and pooling that rewrites frames from patches, sound and captions.

CAE-AV (Hu et al., arXiv 2602.08309) was made for audio-visual events; this is our adaptation to retrieval.
The tokens of a frame are its embedding and its patches; those of its sound are a few averages of the audio
encoder's states, in the encoder's own width; captions are made of the video, never a query. CASTE and CASE
enrich the tokens, and a frame becomes `f + gamma W v` with v the enriched token of its embedding. gamma
starts at 0, so that an untrained plug-in is its host, bit for bit. No query is seen, so an enriched video can
be kept.
"""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from core.batch import Videos
from core.errors import BenchError
from core.method import Dimensions, Needs
from methods.parts.audio import segment_audio
from methods.parts.config import Alignment, ComposedConfig, EnrichmentConfig
from methods.parts.enrichment.base import Enrichment
from methods.parts.enrichment.caption import CaptionProjection, Modality
from methods.parts.enrichment.case import CaptionTokens, Case, Stream
from methods.parts.enrichment.caste import Caste
from methods.parts.enrichment.objective import case_objectives
from methods.parts.fusion.base import required_audio_width
from methods.parts.kinds import ENRICHMENTS

VIDEOS_AT_ONCE = 32
"""Videos that are enriched at a time where nothing is trained; tokens are many."""


@ENRICHMENTS.kind("caste", "case", "caste-case")
class CasteCase(Enrichment):
    """CASTE, CASE or both, and the way back to frames."""

    def __init__(self, config: EnrichmentConfig, width: int, audio_width: int, alignment: Alignment) -> None:
        super().__init__()
        self.alignment = alignment
        self.segment_tokens = config.segment_tokens
        ratio, branches, heads = config.topk_ratio, config.caste_branches, config.enrichment_heads
        residual, described = config.enrichment != "case", config.enrichment != "caste"
        self.caste_visual = Caste(width, audio_width, ratio, branches) if residual else None
        self.caste_audio = Caste(audio_width, width, ratio, branches) if residual and described else None
        self.case = Case(width, audio_width, heads, ratio, config.head_width) if described else None
        self.captions = CaptionProjection(width, width, audio_width, heads) if described else None
        # CASTE hears through the gate between its branches alone; a single branch looks at the picture only
        hears = described or branches == "both"
        self.needs = Needs(sound=hears, patches=True, video_captions=described)
        self.out = nn.Linear(width, width)
        self.gamma = nn.Parameter(torch.zeros(()))

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """Raises `BenchError` where the run has no sound or the heads do not fit."""
        if config.enrichment == "caste" and config.caste_branches != "both":
            return cls(config, dimensions.width, dimensions.width, config.audio_alignment)
        audio_width = required_audio_width(dimensions, f"enrichment={config.enrichment}", "enrichment=none")
        for width, what in ((dimensions.width, "joint width"), (audio_width, "audio encoder's width")):
            if config.enrichment != "caste" and width % config.enrichment_heads:
                raise BenchError(
                    f"enrichment_heads={config.enrichment_heads} does not divide the {what} {width}; "
                    "choose a divisor"
                )
        return cls(config, dimensions.width, audio_width, config.audio_alignment)

    def forward(self, videos: Videos) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Frames `(V, F, D)`, padding frames as they came, and CASE's objectives.

        The soft choice of training draws from torch's global generator, as dropout does.
        """
        objectives: Mapping[str, Tensor] = {}
        visual = self.visual_tokens(videos)
        audio = self.audio_tokens(videos) if self.needs.sound else visual
        if self.caste_visual is not None:  # both residuals from the tokens as they came
            visual, audio = (
                visual + self.caste_visual(visual, audio),
                audio if self.caste_audio is None else audio + self.caste_audio(audio, visual),
            )
        if self.case is not None:
            mask, heard = videos.frame_mask, videos.has_audio
            heard = torch.ones_like(mask[:, 0]) if heard is None else heard
            seen, sounding = self.case(
                self.stream(videos, visual, "visual"), self.stream(videos, audio, "audio"), mask, heard
            )
            visual = seen.tokens
            objectives = case_objectives(seen, sounding, mask, heard, self.case.temperature)
        # f + gamma W v, v being token 0: the embedding itself after the enrichment
        enriched = videos.frames + self.gamma * self.out(visual[:, :, 0])
        return torch.where(videos.frame_mask[..., None], enriched, videos.frames), objectives

    def frames(self, videos: Videos) -> Tensor:
        """Frames `(V, F, D)` alone, a block of videos at a time."""
        return torch.cat(
            [self(videos[i : i + VIDEOS_AT_ONCE])[0] for i in range(0, len(videos), VIDEOS_AT_ONCE)]
        )

    def visual_tokens(self, videos: Videos) -> Tensor:
        """A frame's embedding and its patches `(V, F, 1 + P, D)`, zeros in padding frames."""
        if videos.patches is None:
            raise BenchError("this enrichment needs patch tokens, but the videos were encoded without")
        # the embedding is token 0, patches follow
        tokens = torch.cat([videos.frames[:, :, None], videos.patches.to(videos.frames.dtype)], dim=2)
        return torch.where(videos.frame_mask[..., None, None], tokens, torch.zeros_like(tokens[:1, :1]))

    def audio_tokens(self, videos: Videos) -> Tensor:
        """Averages of audio states `(V, F, La, Da)`, zeros beside padding frames and in silent clips."""
        tokens = segment_audio(videos, self.alignment, self.segment_tokens).to(videos.frames.dtype)
        kept = videos.frame_mask
        if videos.has_audio is not None:
            kept = kept & videos.has_audio[:, None]
        return torch.where(kept[..., None, None], tokens, torch.zeros_like(tokens[:1, :1]))

    def stream(self, videos: Videos, tokens: Tensor, modality: Modality) -> Stream:
        """A modality's tokens with its captions and, in training, the noise of the soft choice."""
        # inference chooses without noise
        noise = torch.empty_like(tokens[..., 0]).exponential_() if self.training else None
        if self.captions is None or videos.captions is None or videos.caption_mask is None:
            return Stream(tokens, None, noise)
        place = slice(0, 1) if modality == "visual" else slice(1, 2)
        states, mask = videos.captions[:, place].to(tokens.dtype), videos.caption_mask[:, place]
        return Stream(tokens, CaptionTokens(self.captions(states, mask, modality), mask), noise)
