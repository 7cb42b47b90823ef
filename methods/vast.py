"""VAST's head: picture and sound are joined by one linear map.

Chen et al., VAST, NeurIPS 2023, arXiv 2305.18500:

    t = unit(W_t text),  z = unit(W [mean frames; mean sound] + b),  s = t . z
    L = 1/2 [CE(t . sg(z) / T) + CE((sg(t) . z)^T / T)]              methods/parts/objective/smoothed.py

The cheapest audio-visual baseline: a silent clip has zeros for its sound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from core.batch import Rows, Texts, Videos
from core.capabilities import NoiseSource
from core.method import Dimensions, Losses, Method, Needs
from methods.parts.modalities import ModalityConfig, TemperatureAuthors, build_heads, has_sound, mean_sound
from methods.parts.objective.smoothed import smoothed_infonce
from methods.parts.recipes import VAST
from methods.parts.vectors import masked_mean, unit


class VastConfig(ModalityConfig):
    """VAST's defaults."""


@dataclass(frozen=True)
class VastAuthors(TemperatureAuthors):
    """VAST's checkpoints."""

    def audio_width(self, state: "dict[str, Tensor]") -> int | None:  # type: ignore[override]
        """What the joint map takes beside the picture, which is as wide as its output."""
        joint = state.get("contra_head_va.weight")
        return None if joint is None else joint.shape[1] - joint.shape[0]


@dataclass(frozen=True)
class JoinedIndex(Rows):
    """What is kept of each video."""

    direction: Tensor
    """`(V, D)` unit vector of picture and sound."""


class Vast(Method[JoinedIndex]):
    """The cosine of the text with picture and sound joined."""

    name = "vast"
    title = "VAST (head)"
    paper = "Chen et al., VAST, NeurIPS 2023, arXiv 2305.18500"
    Config = VastConfig
    recipe: ClassVar[Mapping[str, object]] = VAST
    authors = VastAuthors(
        {
            "contra_head_t.linear.": "heads.maps.t.",
            "contra_head_va.": "joint.",
            "logit_scale": "logit_scale",
        },
        dead=frozenset(
            f"contra_head_{m}.{end}"
            for m in ("v", "a", "s", "d", "vs", "vas")
            for end in ("linear.weight", "weight", "bias")
        ),
    )

    def __init__(self, config: VastConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.settings = config
        self.heads = build_heads(dimensions, "ta", config.head_init, self.name)
        del self.heads.maps["a"]
        width = dimensions.width
        self.joint = nn.Linear(width + (dimensions.audio_width or 0), width)
        if config.head_init == "identity":
            with torch.no_grad():
                self.joint.weight[:, :width].copy_(torch.eye(width))
        with torch.no_grad():
            self.logit_scale.fill_(-torch.tensor(config.temperature_init).log())
        self.needs = Needs(sound=True, floats_per_pair=1)

    def texts(self, texts: Texts) -> Tensor:
        """Unit texts `(N, D)`."""
        vectors: Tensor = self.heads("t", texts.embeds.to(self.logit_scale.dtype))
        return vectors

    def index(self, videos: Videos) -> JoinedIndex:
        """z of each video."""
        sound = mean_sound(videos, self.settings.audio_alignment) * has_sound(videos)[:, None]
        parts = (masked_mean(videos.frames, videos.frame_mask), sound)
        # z = unit(W [v; a] + b)
        joined = torch.cat([part.to(self.logit_scale.dtype) for part in parts], dim=-1)
        return JoinedIndex(unit(self.joint(joined)))

    def score(self, texts: Texts, index: JoinedIndex, noise: NoiseSource) -> Tensor:
        """Cosines `(N, V)`."""
        return self.texts(texts) @ index.direction.T

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """InfoNCE with label smoothing and detached candidates."""
        own, joined, scale = self.texts(texts), self.index(videos).direction, self.logit_scale.exp()
        if self.settings.candidates == "live":
            by_texts = by_videos = scale * own @ joined.T
        else:
            # texts learn from rows, videos from columns, as under the gather of the release
            by_texts, by_videos = scale * own @ joined.detach().T, scale * own.detach() @ joined.T
        total = smoothed_infonce(by_texts, by_videos, self.settings.label_smoothing)
        return Losses(total, {"main": total.detach()})
