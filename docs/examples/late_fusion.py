"""Late fusion: a text is compared with the picture and with the sound, and the two cosines are mixed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.authors import Authors
from core.batch import Rows, Texts, Videos
from core.method import Dimensions, Losses, Method, MethodConfig, Needs, NoiseSource
from methods.parts.audio import AudioProjection, frame_audio
from methods.parts.config import Share
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.vectors import masked_mean, unit


@dataclass(frozen=True)
class LateIndex(Rows):
    """What scoring keeps of each video, directions `(V, D)`."""

    picture: Tensor
    sound: Tensor


class LateFusionConfig(MethodConfig):
    """What `--set config.KEY=VALUE` can change."""

    share: Share = 0.3
    """Weight of the sound, w."""


class LateFusion(Method[LateIndex]):
    """`(1 - w) cos(text, picture) + w cos(text, sound)`."""

    name, title, paper = "late_fusion", "Late fusion", "an example, no paper"
    Config = LateFusionConfig
    needs = Needs(sound=True)
    authors = Authors()  # checkpoints under our own names

    def __init__(self, config: LateFusionConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.share = config.share
        self.hear = AudioProjection("linear", dimensions.audio_width or 1, dimensions.width, "zeros")

    def index(self, videos: Videos) -> LateIndex:
        """What no text can change: mean directions of the frames and of the sound beside them."""
        heard = self.hear(frame_audio(videos, "clip"), videos.has_audio, videos.frame_mask)  # (V, F, D)
        return LateIndex(*(unit(masked_mean(x, videos.frame_mask)) for x in (unit(videos.frames), heard)))

    def score(self, texts: Texts, index: LateIndex, noise: NoiseSource | None = None) -> Tensor:
        """Cosines `(N, V)`."""
        return unit(texts.embeds) @ torch.lerp(index.picture, index.sound, self.share).T

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """InfoNCE of a batch; text i belongs to video i."""
        return Losses(symmetric_infonce(self.logit_scale.exp() * self.score(texts, self.index(videos))), {})
