"""A composition of parts: how texts and videos run through them.

Training, leak-free scoring and the authors' scoring run through the same functions (`methods.parts` states
the convention of shapes). `methods.composed` adds the objective and what a method may offer beyond its
contract.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from core.batch import Rows, Texts, Videos
from core.errors import BenchError
from core.method import Dimensions, Method, MethodConfig, Needs, NoiseSource
from methods.parts.config import ComposedConfig
from methods.parts.enrichment.base import Enrichment
from methods.parts.fusion.base import Fusion
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import ENRICHMENTS, FUSIONS, INTERACTIONS, PERTURBATIONS, POOLINGS
from methods.parts.perturbation.base import Perturbation
from methods.parts.pooled import Pooled
from methods.parts.pooling.base import Pooling, Prepared


@dataclass(frozen=True)
class VideoIndex(Rows):
    """What scoring by modules needs of each video, free of any text."""

    keys: Tensor
    """`(V,)` int64."""
    videos: Prepared
    """Fused and prepared for pooling; plain frames where the fusion waits for the text."""
    audio: Tensor | None = None
    """`(V, F, D)` aligned, projected sound where the fusion waits for the text."""


class Composition(Method[VideoIndex]):
    """The parts that a `ComposedConfig` names."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.parts = cast(ComposedConfig, config)
        self.fusion: Fusion = FUSIONS.build(config, dimensions)
        self.pooling: Pooling[Any] = POOLINGS.build(config, dimensions)
        self.interaction: Interaction = INTERACTIONS.build(config, dimensions)
        self.perturbation: Perturbation = PERTURBATIONS.build(config, dimensions)
        # last: its host's weights stay the same
        self.enrichment: Enrichment = ENRICHMENTS.build(config, dimensions)
        if self.parts.perturbation != "none" and not self.interaction.sentence:
            raise BenchError(
                f"perturbation={self.parts.perturbation} moves one vector of the text, and "
                f"interaction={self.parts.interaction} compares words; choose perturbation=none"
            )
        if not self.interaction.pooled and not self.pooling.in_frames:
            raise BenchError(
                f"interaction={self.parts.interaction} reads frames alone, and "
                f"pooling={self.parts.pooling} would have no effect; choose pooling=mean or contextual"
            )
        if self.parts.logit_scale_init is not None:
            with torch.no_grad():
                self.logit_scale.fill_(self.parts.logit_scale_init)
        # GAID keeps the scale of CLIP, the others train it
        self.logit_scale.requires_grad_(self.parts.logit_scale_trainable)
        self.needs = Needs(
            sound=self.fusion.sound or self.enrichment.needs.sound,
            patches=self.enrichment.needs.patches,
            words=self.interaction.words,
            video_captions=self.enrichment.needs.video_captions,
            speech=self.fusion.speech,
            teacher=self.fusion.speech and self.parts.alignment_weight > 0,
            floats_per_pair=self.largest(),
        )

    def largest(self) -> int:
        """The largest tensor of `score` per pair: fused frames, drawn noise, or one vector."""
        width, frames = self.dimensions.width, self.dimensions.frames
        return max(
            self.perturbation.floats_per_pair(width, shared=self.parts.noise == "per-text"),
            width * (frames if self.fusion.text_dependent else 1),
            self.interaction.floats_per_pair(self.dimensions),
        )

    def embeds(self, texts: Texts) -> Tensor:
        """Text embeddings `(N, D)` in the method's own precision."""
        return texts.embeds.to(self.logit_scale.dtype)

    def checked(self, videos: Videos) -> Videos:
        """The videos with frames in the method's own precision; raises `BenchError` for another shape."""
        expected = (self.dimensions.frames, self.dimensions.width)
        if videos.frames.shape[1:] != expected:
            raise BenchError(
                f"videos have {tuple(videos.frames.shape[1:])} frames x width, the method has {expected}"
            )
        return replace(videos, frames=videos.frames.to(self.logit_scale.dtype))

    def enriched(self, videos: Videos) -> Videos:
        """The videos with enriched frames."""
        videos = self.checked(videos)
        return replace(videos, frames=self.enrichment.frames(videos))

    def index(self, videos: Videos) -> VideoIndex:
        """Everything about videos that no text can change; pooled already where the fusion needs no text."""
        return self.enriched_index(self.enriched(videos))

    def enriched_index(self, videos: Videos) -> VideoIndex:
        """The index of videos whose frames are enriched already."""
        # a gate that waits for the text leaves its sound; without one the frames are final
        frames, audio = self.fusion.encode(videos)
        mask = videos.frame_mask
        prepared = self.pooling.prepare(frames, mask) if audio is None else Prepared(frames, mask)
        return VideoIndex(videos.keys, prepared, audio)

    def gated_by(self, captions: Tensor, index: VideoIndex) -> VideoIndex:
        """The index with video i fused by caption i of `(V, D)`, whatever text it will be compared with.

        What paired training and the released evaluation do. Unchanged where the fusion sees no text.
        """
        if index.audio is None:
            return index
        pairs = index.videos.paired()
        # u_i = fusion(f_i, a_i, t_i), one text per video
        frames = self.fusion.fuse(captions, pairs.frames, index.audio[:, None], pairs.mask)[:, 0]
        return VideoIndex(index.keys, self.pooling.prepare(frames, index.videos.mask))

    def prepared(self, texts: Tensor, index: VideoIndex) -> Prepared:
        """Fused videos for texts `(N, D)`: per pair where the fusion depends on the text, else shared."""
        if index.audio is None:
            return index.videos
        # u_ij = fusion(f_j, a_j, t_i), every text with every video
        frames = self.fusion.fuse(texts, index.videos.frames, index.audio, index.videos.mask)
        prepared: Prepared = self.pooling.prepare(frames, index.videos.mask)
        return prepared

    def score(self, texts: Texts, index: VideoIndex, noise: NoiseSource) -> Tensor:
        """Leak-free similarities `(N, V)`: fusion, pooling and perturbation per pair."""
        embeds = self.embeds(texts)
        videos = self.prepared(embeds, index)
        # v_ij = pooling(t_i, u_ij), then s(perturbed t_i, v_ij)
        pooled = self.pooling(embeds, videos)
        return self.perturbed(
            texts, index.keys, videos, noise, lambda query: self.compared(query, texts, pooled)
        )

    def compared(self, query: Tensor, texts: Texts, pooled: Pooled) -> Tensor:
        """Similarities `(N, V)` of texts, perturbed to `query` `(N, V|1, D)`, with pooled videos."""
        similarities: Tensor = self.interaction(query, texts, pooled, self.logit_scale.exp())
        return similarities

    def perturbed(
        self,
        texts: Texts,
        video_keys: Tensor,
        videos: Prepared,
        noise: NoiseSource,
        select: Callable[[Tensor], Tensor],
        final: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Similarities `(N, V)` of the texts as the perturbation scores them; see `Perturbation.score`."""
        embeds, part = self.embeds(texts), self.perturbation
        return part.score(
            embeds[:, None],
            videos.frames,
            videos.mask,
            lambda trials: noise.draw(texts.keys, video_keys, trials, embeds.shape[1], part.prior),
            select,
            final,
        )

    def score_gated_by(self, captions: Tensor, texts: Texts, index: VideoIndex, noise: NoiseSource) -> Tensor:
        """Between leak-free and released: video i gated by caption i of `(V, D)`, pooled by the query."""
        return self.score(texts, self.gated_by(captions, index), noise)
