"""SAVE's fusion: AVIGATE's gated transformer twice, once over the resampled sound and once over what is said.

SAVE, CVPR 2026 (arXiv 2603.08224). Both start from the same frames, each with weights of its own; the states
of the transcript enter as the text tower left them, all positions of the row, padding included, as released.
Without speech that is a row of padding alone, the same for every clip.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self, cast

import torch
from torch import Tensor, nn

from core.authors import ClipTextWeights
from core.batch import Videos
from core.errors import BenchError
from core.method import Dimensions
from methods.parts.audio import AudioProjection
from methods.parts.config import Alignment, ComposedConfig
from methods.parts.fusion.gated_transformer import GatedFusionBlock, GatedTransformer, branch
from methods.parts.kinds import FUSIONS
from methods.parts.objective.alignment import (
    alignment_loss,
    audio_visual_similarities,
    teacher_similarities,
)
from methods.parts.transformer import copy_clip_blocks, initialise_normal


class Shares(NamedTuple):
    """Weights of the three parts of a fused frame."""

    audio: float
    speech: float
    visual: float


def joined_branches(audio: Tensor, speech: Tensor, start: Tensor, shares: Shares) -> Tensor:
    """Fused frames `(V, F, D)` of both branches and the frames that they started from."""
    # y = .5 A + .5 P + x_0
    return shares.audio * audio + shares.speech * speech + shares.visual * start


def required_speech(videos: Videos) -> Tensor:
    """States of what is said `(V, Ls, D)`; raises `BenchError` where the videos came without."""
    if videos.speech is None:
        raise BenchError(
            "this fusion reads what is said in the videos, and they were encoded without; "
            "choose fusion=gated-transformer"
        )
    return videos.speech


@FUSIONS.kind("gated-speech")
class GatedSpeech(GatedTransformer):
    """The resampler and two gated transformers, whose outputs are added to the frames."""

    speech: ClassVar[bool] = True

    def __init__(
        self,
        width: int,
        projection: AudioProjection,
        alignment: Alignment,
        *,
        layers: int,
        heads: int,
        **sizes: Any,
    ) -> None:
        super().__init__(width, projection, alignment, layers=layers, heads=heads, **sizes)
        self.speech_transformer = nn.ModuleList(GatedFusionBlock(width, heads) for _ in range(layers))
        self.shares = Shares(0.5, 0.5, 1.0)
        self.aligns = False
        initialise_normal(self.speech_transformer)

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """As for the gated transformer."""
        made = super().build(config, dimensions)
        made.shares = Shares(config.audio_share, config.speech_share, config.visual_share)
        made.aligns = config.alignment_weight > 0
        return made

    def initialise_from_clip(self, clip: ClipTextWeights) -> tuple[str, ...]:
        """CLIP's text layers into all three transformers."""
        copied = copy_clip_blocks(self.speech_transformer, clip)
        return (*super().initialise_from_clip(clip), *(("fusion.speech_transformer",) if copied else ()))

    def speech_blocks(self) -> Sequence[GatedFusionBlock]:
        """The layers over what is said, first to last."""
        return cast(Sequence[GatedFusionBlock], self.speech_transformer)

    def spoken(self, videos: Videos) -> Tensor:
        """What is said, `(V, Ls, D)`, in the method's precision."""
        return required_speech(videos).to(self.query_tokens.dtype)

    def encode(self, videos: Videos) -> tuple[Tensor, Tensor | None]:
        """Fused frames `(V, F, D)`; nothing is left for a text to do."""
        start = self.visual(videos.frames)
        audio, _ = branch(self.fusion_blocks(), start, self.resampled(videos))
        speech, _ = branch(self.speech_blocks(), start, self.spoken(videos))
        return joined_branches(audio, speech, start, self.shares), None

    def terms(self, videos: Videos) -> Mapping[str, Tensor]:
        """`alignment` of the resampled sound with the frames, where the teacher is known."""
        if not self.aligns or videos.teacher is None:
            return {}
        ours = audio_visual_similarities(self.visual(videos.frames), self.resampled(videos))
        known = videos.teacher.any(-1).all(-1)
        audible = known if videos.has_audio is None else known & videos.has_audio
        teacher = teacher_similarities(videos.teacher.to(ours.dtype))
        return {"alignment": alignment_loss(ours, teacher, audible)}

    def gates(self, texts: Tensor, videos: Videos) -> Tensor:
        """Attention gates of each clip, `(B, 2 layers)`: those of the sound, then those of what is said."""
        start = self.visual(videos.frames)
        _, audio = branch(self.fusion_blocks(), start, self.resampled(videos))
        _, speech = branch(self.speech_blocks(), start, self.spoken(videos))
        return torch.cat([audio[..., 0], speech[..., 0]], dim=-1)
