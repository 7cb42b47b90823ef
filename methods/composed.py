"""A method as enrichment x fusion x pooling x interaction x perturbation x objective.

`methods.parts.composition` has the way of texts and videos through the parts; here are the training loss and
what a method may offer beyond the contract: algebra, the authors' scoring, a gate, the layout of their
checkpoints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from core.authors import Authors, ClipTextWeights
from core.batch import Texts, Videos
from core.capabilities import Gate, Timed
from core.method import Dimensions, Losses, MethodConfig
from core.timing.clock import Stopwatch
from core.timing.cost import Cost
from methods.parts.candidates import ComposedCandidates
from methods.parts.composition import Composition, VideoIndex
from methods.parts.costs import scoring_cost
from methods.parts.exact import ComposedExact, exact_of
from methods.parts.moments import ComposedMoments
from methods.parts.objective.infonce import pair_weights, weighted_infonce
from methods.parts.objective.margin import adaptive_margin
from methods.parts.perturbation.base import Draw, support_text
from methods.parts.pooling.mean import mean_of_directions
from methods.released.own_captions import OwnCaptions
from methods.released.procedure import GROWTH, as_released


@dataclass(frozen=True)
class TrainingSimilarities:
    """Cosines of a batch of matched pairs."""

    main: Tensor
    """`(B, B)` of the (perturbed) texts."""
    support: Tensor | None
    """`(B, B)` of the support texts; None without a perturbation."""


@dataclass(frozen=True)
class ComposedAuthors(Authors["ComposedMethod"]):
    """Layout of the checkpoints of a composed method."""

    names: Mapping[str, str]
    """Authors' key prefix -> ours; the logit scale is common to all."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", {"clip.logit_scale": "logit_scale", **self.names})

    def initialise(self, method: "ComposedMethod", clip: ClipTextWeights) -> None:
        """CLIP's text layers where they fit; `initialised_from_clip` names what was copied."""
        copied = method.fusion.initialise_from_clip(clip) + method.pooling.initialise_from_clip(clip)
        method.initialised_from_clip = copied

    def rate_group(self, parameter: str) -> str:
        """AVIGATE's query tokens and the enrichment's scalars are groups of their own."""
        if parameter.startswith("enrichment.") and parameter.endswith("gamma"):
            return "gammas"
        return "query_tokens" if parameter == "fusion.query_tokens" else super().rate_group(parameter)


class ComposedGate(Gate):
    """The weight that the fusion gives to the sound."""

    def __init__(self, method: "ComposedMethod") -> None:
        self.method = method
        self.axis = method.fusion.gate_axis or "frame"

    def weights(self, texts: Texts, videos: Videos) -> Tensor:
        """`(B, F)` of enriched frames, or `(B, layers)`."""
        return self.method.fusion.gates(self.method.embeds(texts), self.method.enriched(videos))


class ComposedTimed(Timed[VideoIndex]):
    """The parts' arithmetic, and the loops of X-Pool's family."""

    growth = GROWTH

    def __init__(self, method: Composition) -> None:
        self.method = method
        if not method.pooling.text_conditioned:
            self.obstacle = "its authors' scoring has no loop over pairs"
        elif not method.perturbation.loops:
            self.obstacle = f"nobody has restated the loops of {method.parts.perturbation}"

    def cost(self, *, exact: bool) -> Cost | None:
        """What is counted of the parts."""
        return scoring_cost(self.method, exact=exact)

    def loops(
        self, texts: Tensor, index: VideoIndex, owners: Sequence[int], draw: Draw, watch: Stopwatch
    ) -> Tensor:
        """The evaluation of X-Pool, T-MASS or GAID."""
        return as_released(self.method, texts, index, owners, draw, watch)


class ComposedMethod(Composition):
    """The composition that a `ComposedConfig` describes."""

    own_captions: ClassVar[bool] = False
    """Whether the authors' evaluation pools and gates each video with its own captions."""
    authors: ClassVar[Authors["ComposedMethod"]] = ComposedAuthors({"": ""})

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.initialised_from_clip: tuple[str, ...] = ()
        self.exact = exact_of(self)
        self.gate = ComposedGate(self) if self.fusion.gate_axis else None
        self.released = OwnCaptions(self) if self.own_captions else None
        self.candidates = ComposedCandidates(self)
        self.moments = ComposedMoments(self.exact) if isinstance(self.exact, ComposedExact) else None
        self.timed = ComposedTimed(self)

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """InfoNCE of the perturbed texts, plus the support texts' and the enrichment's terms, weighted.

        `generator` draws the perturbation's noise; dropout uses torch's global generator.
        """
        embeds = self.embeds(texts)
        noise = self.perturbation.draw(embeds, generator)  # (B, 1, D)
        videos = self.checked(videos)
        frames, objectives = self.enrichment(videos)
        enriched = replace(videos, frames=frames)
        objectives = {**objectives, **self.fusion.terms(enriched)}
        index = self.enriched_index(enriched)
        similarities = self.training_similarities(noise, texts, index)
        scale = self.logit_scale.exp()
        logits = scale * similarities.main
        if self.parts.margin_beta:
            visual = mean_of_directions(self.fusion.visual(videos.frames), videos.frame_mask)
            # the margin is one of cosines, the scale multiplies it like them
            margin = adaptive_margin(embeds, visual, self.parts.margin_beta, self.parts.margin_delta)
            logits = logits + scale * margin
        weights = pair_weights(similarities.main, self.parts.loss_weights)
        # L = sum_i w_i InfoNCE_i + ...
        total = main = weighted_infonce(logits, weights)
        terms = {"main": main.detach()}
        if similarities.support is not None and self.parts.support_weight:
            # ... + support_weight L_sup + the terms of enrichment, fusion and interaction by their weights
            objectives = {"support": weighted_infonce(scale * similarities.support, weights), **objectives}
        terms_of_pairs = self.interaction.terms(texts, lambda: self.gated_by(embeds, index).videos, generator)
        objectives = {**objectives, **terms_of_pairs}
        for name, term in objectives.items():
            # an objective is weighted by the field of its own name
            total = total + getattr(self.parts, f"{name}_weight") * term
            terms[name] = term.detach()
        return Losses(total, terms)

    def training_similarities(self, noise: Tensor, texts: Texts, index: VideoIndex) -> TrainingSimilarities:
        """Cosines of matched pairs under noise `(B, 1, D)`.

        The support text of text i points from it to its own video, pooled by all texts of the batch and
        averaged, as released.
        """
        embeds, paired = self.embeds(texts), self.parts.pairs == "paired"
        videos = self.prepared(embeds, self.gated_by(embeds, index) if paired else index)
        pooled = self.pooling(embeds, videos)
        queries, seen = embeds[:, None], videos.paired() if paired else videos
        # t' = t + noise within S(t, u)
        perturbed, radius = self.perturbation.within(queries, seen.frames, seen.mask, noise)
        main = self.compared(perturbed, texts, pooled)
        if not self.perturbation.seen:
            return TrainingSimilarities(main, None)
        # the mean over the texts of the batch, as released
        anchor = pooled.vector.mean(0) if pooled.vector.dim() == 3 else pooled.vector
        # radius is (B, 1, D), or (B, B, D) for all pairs
        own_radius = radius if paired else radius.diagonal(dim1=0, dim2=1).T[:, None]
        # t_sup = t + S (v - t) / |v - t|
        support = support_text(queries, own_radius, anchor[:, None])
        return TrainingSimilarities(main, self.compared(support, texts, pooled))
