"""A method as enrichment x fusion x pooling x perturbation x objective; all methods are instances.

Training and scoring run through the same functions (`methods.parts` states the convention of shapes). The
authors' released scoring of T-MASS and GAID, which pools and gates every video with its own caption, lives
in `methods.released` and is switched on by `own_caption_scoring`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor

from core.batch import Rows, Texts, Videos
from core.errors import BenchError
from core.method import ClipTextWeights, Dimensions, Losses, Method, MethodConfig, NoiseSource
from methods.parts.build import (
    build_enrichment,
    build_fusion,
    build_perturbation,
    build_pooling,
    initial_logit_scale,
)
from methods.parts.config import ComposedConfig
from methods.parts.exact.index import ExactIndex, basis_of, obstacle
from methods.parts.exact.released import exact_own_caption_scores
from methods.parts.exact.scores import ExactQueries, exact_queries, exact_scores, floats_per_pair
from methods.parts.index import VideoIndex, as_index
from methods.parts.objective import adaptive_margin, pair_weights, weighted_infonce
from methods.parts.perturbation import support_text
from methods.parts.pooling import Prepared, mean_of_directions
from methods.parts.reference import load_reference_state
from methods.released import own_caption_scores


@dataclass(frozen=True)
class TrainingSimilarities:
    """Cosines of a batch of matched pairs."""

    main: Tensor
    """`(B, B)` of the (perturbed) texts."""
    support: Tensor | None
    """`(B, B)` of the support texts; None without a perturbation."""


class ComposedMethod(Method):
    """The composition that a `ComposedConfig` describes."""

    reference_keys: ClassVar[Mapping[str, str]] = {}
    """Authors' key prefix -> ours; the logit scale is common to all."""
    dead_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys of authors' checkpoints that nothing reads."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.parts = cast(ComposedConfig, config)
        self.fusion = build_fusion(self.parts, dimensions)
        self.pooling = build_pooling(self.parts, dimensions)
        self.perturbation = build_perturbation(self.parts, dimensions)
        self.enrichment = build_enrichment(self.parts, dimensions)  # last: its host's weights stay the same
        self.initialised_from_clip: tuple[str, ...] = ()
        initial_logit_scale(self.parts, self.logit_scale)

    @property
    def uses_audio(self) -> bool:
        """Whether there is a fusion or an enrichment."""
        return self.parts.fusion != "none" or self.parts.enrichment != "none"

    @property
    def uses_patches(self) -> bool:
        """Whether there is an enrichment."""
        return self.parts.enrichment != "none"

    @property
    def uses_video_captions(self) -> bool:
        """Whether the enrichment has CASE, which reads them."""
        return self.parts.enrichment in ("case", "caste-case")

    @property
    def floats_per_pair(self) -> int:
        """Largest tensor of `score` per pair: fused frames, drawn noise, or one vector."""
        width, frames = self.dimensions.width, self.dimensions.frames
        trials = self.parts.trials if self.parts.perturbation == "stp" and self.parts.noise == "fresh" else 1
        return width * max(trials, frames if self.fusion.text_dependent else 1)

    def embeds(self, texts: Texts) -> Tensor:
        """Text embeddings `(N, D)` in the method's own precision."""
        return texts.embeds.to(self.logit_scale.dtype)

    def index(self, videos: Videos) -> VideoIndex:
        """Everything about videos that no text can change; pooled already where the fusion needs no text."""
        videos = self.checked(videos)
        return self.enriched_index(replace(videos, frames=self.enrichment.frames(videos)))

    def checked(self, videos: Videos) -> Videos:
        """The videos with frames in the method's own precision; raises `BenchError` for another shape."""
        expected = (self.dimensions.frames, self.dimensions.width)
        if videos.frames.shape[1:] != expected:
            raise BenchError(
                f"videos have {tuple(videos.frames.shape[1:])} frames x width, the method has {expected}"
            )
        return replace(videos, frames=videos.frames.to(self.logit_scale.dtype))

    def enriched_index(self, videos: Videos) -> VideoIndex:
        """The index of videos whose frames are enriched already."""
        frames, audio = self.fusion.encode(videos)
        if audio is not None:
            return VideoIndex(videos.keys, videos.frame_mask, frames, audio)
        return self.fused_index(videos.keys, videos.frame_mask, frames)

    def fused_index(self, keys: Tensor, mask: Tensor, frames: Tensor) -> VideoIndex:
        """The index of videos whose frames `(V, F, D)` are fused."""
        prepared = self.pooling.prepare(frames, mask)
        return VideoIndex(keys, mask, prepared.frames, None, prepared.keys, prepared.values, prepared.vector)

    def gated_by(self, captions: Tensor, index: VideoIndex) -> VideoIndex:
        """The index with video i fused by caption i of `(V, D)`, whatever text it will be compared with.

        What paired training and the released evaluation do. Unchanged where the fusion sees no text.
        """
        if index.audio is None:
            return index
        frames = self.fusion.fuse(captions, index.frames[:, None], index.audio[:, None], index.mask[:, None])
        return self.fused_index(index.keys, index.mask, frames[:, 0])

    def prepared(self, texts: Tensor, index: VideoIndex) -> Prepared:
        """Fused videos for texts `(N, D)`: per pair where the fusion depends on the text, else shared."""
        if index.audio is None:
            return index.prepared()
        frames = self.fusion.fuse(texts, index.frames, index.audio, index.mask)
        return self.pooling.prepare(frames, index.mask)

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """InfoNCE of the perturbed texts, plus the support texts' and the enrichment's terms, weighted.

        `generator` draws the perturbation's noise; dropout uses torch's global generator.
        """
        noise = None if self.perturbation is None else self.perturbation.draw(self.embeds(texts), generator)
        return self.loss_under(noise, texts, videos)

    def loss_under(self, noise: Tensor | None, texts: Texts, videos: Videos) -> Losses:
        """The loss of a batch under given noise `(B, 1, D)`."""
        videos = self.checked(videos)
        frames, objectives = self.enrichment(videos)
        index = self.enriched_index(replace(videos, frames=frames))
        similarities = self.training_similarities(noise, self.embeds(texts), index)
        scale = self.logit_scale.exp()
        logits = scale * similarities.main
        if self.parts.margin_beta:
            visual = mean_of_directions(self.fusion.visual(videos.frames), videos.frame_mask)
            margin = adaptive_margin(
                self.embeds(texts), visual, self.parts.margin_beta, self.parts.margin_delta
            )
            logits = logits + scale * margin
        weights = pair_weights(similarities.main, self.parts.loss_weights)
        total = main = weighted_infonce(logits, weights)
        terms = {"main": main.detach()}
        if similarities.support is not None and self.parts.support_weight:
            objectives = {"support": weighted_infonce(scale * similarities.support, weights), **objectives}
        for name, term in objectives.items():
            total = total + getattr(self.parts, f"{name}_weight") * term
            terms[name] = term.detach()
        return Losses(total, terms)

    def training_similarities(
        self, noise: Tensor | None, texts: Tensor, index: VideoIndex
    ) -> TrainingSimilarities:
        """Cosines of matched pairs under noise `(B, 1, D)`; texts `(B, D)`.

        The support text of text i points from it to its own video, pooled by all texts of the batch and
        averaged, as released.
        """
        paired = self.parts.pairs == "paired"
        videos = self.prepared(texts, self.gated_by(texts, index) if paired else index)
        pooled = self.pooling(texts, videos)
        queries, scale = texts[:, None], self.logit_scale.exp()
        if self.perturbation is None or noise is None:
            return TrainingSimilarities(self.pooling.compare(queries, pooled, scale), None)
        seen = videos.paired() if paired else videos
        radius = self.perturbation.radii(
            texts, seen.frames, seen.mask
        )  # (B, 1, D), or (B, B, D) for all pairs
        perturbed = self.perturbation.train_queries(queries, radius, noise)
        main = self.pooling.compare(perturbed, pooled, scale)
        anchor = pooled.vector.mean(0) if pooled.vector.dim() == 3 else pooled.vector
        own_radius = radius if paired else radius.diagonal(dim1=0, dim2=1).T[:, None]
        support = support_text(queries, own_radius, anchor[:, None])
        return TrainingSimilarities(main, self.pooling.compare(support, pooled, scale))

    def score(self, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        """Leak-free similarities `(N, V)`: fusion, pooling and perturbation per pair."""
        videos_index = as_index(index)
        embeds = self.embeds(texts)
        videos = self.prepared(embeds, videos_index)
        pooled, scale = self.pooling(embeds, videos), self.logit_scale.exp()
        return self.perturbed(
            texts, videos_index.keys, videos, noise, lambda query: self.pooling.compare(query, pooled, scale)
        )

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
        embeds = self.embeds(texts)
        if self.perturbation is None:
            return (final or select)(embeds[:, None])
        prior, width = self.perturbation.prior, embeds.shape[1]
        radius = self.perturbation.radii(embeds, videos.frames, videos.mask)
        return self.perturbation.score(
            embeds[:, None],
            radius,
            lambda trials: noise.draw(texts.keys, video_keys, trials, width, prior),
            select,
            final,
        )

    def score_gated_by(self, captions: Tensor, texts: Texts, index: VideoIndex, noise: NoiseSource) -> Tensor:
        """Between leak-free and released: video i gated by caption i of `(V, D)`, pooled by the query."""
        return self.score(texts, self.gated_by(captions, index), noise)

    def released_score(self, texts: Texts, index: Rows, pairing: Tensor, noise: NoiseSource) -> Tensor:
        """The authors' evaluation: leak-free, or with each video's own captions (`own_caption_scoring`)."""
        if not self.own_caption_scoring:
            return self.score(texts, index, noise)
        return own_caption_scores(self, texts, as_index(index), pairing, noise)

    @property
    def exact_obstacle(self) -> str:
        """What in this composition has no algebra; empty where all of it has."""
        return obstacle(self)

    @property
    def exact_floats_per_pair(self) -> int:
        """Coefficients of the mixes, and a few vectors where there is a perturbation."""
        return floats_per_pair(self)

    def exact_index(self, rows: Rows) -> ExactIndex:
        """See `methods.parts.exact`."""
        return basis_of(self, as_index(rows))

    def exact_queries(self, texts: Texts, noise: NoiseSource) -> ExactQueries:
        """See `methods.parts.exact`."""
        return exact_queries(self, texts, noise, gated=self.fusion.text_dependent)

    def exact_score(self, queries: Rows, basis: Rows, noise: NoiseSource) -> Tensor:
        """See `methods.parts.exact`."""
        assert isinstance(queries, ExactQueries)
        assert isinstance(basis, ExactIndex)
        return exact_scores(self, queries, basis, noise)

    def exact_released_score(self, texts: Texts, index: Rows, pairing: Tensor, noise: NoiseSource) -> Tensor:
        """See `methods.parts.exact`."""
        return exact_own_caption_scores(self, texts, as_index(index), pairing, noise)

    @property
    def gate_axis(self) -> Literal["frame", "layer"]:
        """Layers for the gated transformer, else frames."""
        return self.fusion.gate_axis

    def gates(self, texts: Texts, videos: Videos) -> Tensor | None:
        """Audio weight per frame `(B, F)` of matched pairs; None without a gate.

        For the gated transformer the attention gate per layer, `(B, layers)`.
        """
        videos = self.checked(videos)
        videos = replace(videos, frames=self.enrichment.frames(videos))
        return self.fusion.gates(self.embeds(texts), videos)

    def initialise_from_clip(self, clip: ClipTextWeights) -> None:
        """Copies CLIP's text layers where they fit; `initialised_from_clip` names what was copied."""
        self.initialised_from_clip = self.fusion.initialise_from_clip(
            clip
        ) + self.pooling.initialise_from_clip(clip)

    def rate_group(self, parameter: str) -> str:
        """AVIGATE's query tokens and the enrichment's scalars are groups of their own; else as the base."""
        if parameter.startswith("enrichment.") and parameter.endswith("gamma"):
            return "gammas"
        return "query_tokens" if parameter == "fusion.query_tokens" else super().rate_group(parameter)

    def load_reference(self, state: Mapping[str, Tensor]) -> None:
        """Loads an authors' checkpoint; CLIP tower keys (`clip.*`) but the scale belong to the backbone."""
        load_reference_state(self, self.name, state, self.reference_names(), self.dead_keys)

    @classmethod
    def reference_names(cls) -> Mapping[str, str]:
        """Authors' key prefix -> ours, the logit scale included."""
        return {"clip.logit_scale": "logit_scale", **cls.reference_keys}
