"""GRAM: the volume that a text spans with a video's picture and sound.

Cicchetti et al., ICLR 2025, arXiv 2412.11959, section 3:

    t = unit(W_t text), v = unit(W_v mean frames), a = unit(W_a mean sound)
                                                        methods/parts/modalities.py: modality_vectors
    M = sqrt(det G), G the Gram matrix of (t, v, a)     methods/parts/interaction/volume.py: volumes
    s = -M
    L = 1/2 [CE(-M(t, sg(v, a)) / T) + CE(-M(sg(t), v, a)^T / T)]
                                                        methods/parts/objective/smoothed.py: smoothed_infonce

Without sound G has a row of the identity in its place: the volume of what is left. `interaction=height`
(ours) divides the volume by that of picture and sound alone, which holds no text and makes hubs; `area` is
TRIANGLE's. The release ranks 884 of MSR-VTT's 1,000 test clips, and re-ranks with a matching head that is not
hosted.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from core.axes import Axis, Only, Ours
from core.batch import Texts, Videos
from core.capabilities import Exact, NoiseSource
from core.method import Dimensions, Losses, Method, Needs
from methods.parts.interaction.volume import (
    Spans,
    areas,
    exact_heights,
    exact_volumes,
    heights,
    spans,
    volumes,
)
from methods.parts.modalities import (
    ModalityConfig,
    ModalityVectors,
    TemperatureAuthors,
    build_heads,
    modality_vectors,
)
from methods.parts.objective.principal import leading_loss, principal, separation_loss
from methods.parts.objective.smoothed import smoothed_infonce
from methods.parts.recipes import VAST
from methods.parts.sentences import SentenceVectors
from methods.parts.vectors import unit

SIMPLEX_MEASURES: Mapping[str, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
    "volume": volumes,
    "height": heights,
    "area": areas,
}
"""Texts `(N, D)`, vectors `(V, 2, D)` and which are present -> `(N, V)`."""


class GramConfig(ModalityConfig):
    """GRAM's defaults."""

    interaction: Annotated[Literal["volume", "height", "area"], Axis()] = "volume"
    """What is measured; small is similar."""
    missing: Literal["identity", "null"] = "identity"
    """A clip without sound: the measure of its picture alone, or a learned vector as its sound."""
    objective: Literal["contrastive", "pmrl"] = "contrastive"
    """The release's, or PMRL's (arXiv 2507.17343), with singular vectors signed along their columns."""
    value_temperature: Annotated[float, Field(gt=0), Only(objective="pmrl")] = 0.05
    """PMRL's tau1, of singular values."""
    vector_temperature: Annotated[float, Field(gt=0), Only(objective="pmrl")] = 0.1
    """PMRL's tau2, of leading vectors."""


class SpanExact(Exact[ModalityVectors, SentenceVectors, Spans]):
    """Volume and height by products with an orthonormal basis of each video's span."""

    where = "methods/parts/interaction/volume.py"
    floats_per_pair = 3

    def __init__(self, method: "Gram") -> None:
        self.method = method

    def index(self, rows: ModalityVectors) -> Spans:
        """The basis."""
        rows = self.method.filled(rows)
        return spans(rows.vectors, rows.present)

    def queries(self, texts: Texts, noise: NoiseSource) -> SentenceVectors:
        """Unit texts."""
        return SentenceVectors(self.method.texts(texts))

    def score(self, queries: SentenceVectors, basis: Spans, noise: NoiseSource) -> Tensor:
        """Scores `(N, V)`."""
        if self.method.measure == "volume":
            return exact_volumes(queries.embeds, basis).neg_()
        return exact_heights(queries.embeds, basis.basis).neg_()


class AreaExact(Exact[ModalityVectors, SentenceVectors, ModalityVectors]):
    """TRIANGLE's area, which needs no more than the products of the texts with picture and sound."""

    where = "methods/parts/interaction/volume.py"
    floats_per_pair = 3

    def __init__(self, method: "Gram") -> None:
        self.method = method

    def index(self, rows: ModalityVectors) -> ModalityVectors:
        """The vectors."""
        return self.method.filled(rows)

    def queries(self, texts: Texts, noise: NoiseSource) -> SentenceVectors:
        """Unit texts."""
        return SentenceVectors(self.method.texts(texts))

    def score(self, queries: SentenceVectors, basis: ModalityVectors, noise: NoiseSource) -> Tensor:
        """Scores `(N, V)`."""
        return areas(queries.embeds, basis.vectors, basis.present).neg_()


class Gram(Method[ModalityVectors]):
    """Minus the volume of text, picture and sound."""

    name: ClassVar[str] = "gram"
    title: ClassVar[str] = "GRAM"
    paper: ClassVar[str] = "Cicchetti et al., GRAM, ICLR 2025, arXiv 2412.11959"
    Config: ClassVar[type[GramConfig]] = GramConfig
    recipe: ClassVar[Mapping[str, object]] = {
        **VAST,
        "training.epochs@didemo": 40,
        "data.captions@vatex": Ours("all", released="first-caption"),
    }
    authors = TemperatureAuthors(
        {
            **{f"contra_head_{m}.linear.": f"heads.maps.{m}." for m in "tva"},
            "logit_scale": "logit_scale",
            "null_sound": "null_sound",
        },
        dead=frozenset({"contra_head_s.linear.weight", "contra_head_d.linear.weight"}),
    )

    def __init__(self, config: GramConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.settings, self.measure = config, config.interaction
        self.heads = build_heads(dimensions, "tva", config.head_init, self.name)
        self.null_sound = nn.Parameter(torch.randn(dimensions.width)) if config.missing == "null" else None
        with torch.no_grad():
            self.logit_scale.fill_(-torch.tensor(config.temperature_init).log())
        self.needs = Needs(sound=True, floats_per_pair=16)
        self.exact = AreaExact(self) if self.measure == "area" else SpanExact(self)

    def texts(self, texts: Texts) -> Tensor:
        """Unit texts `(N, D)`."""
        vectors: Tensor = self.heads("t", texts.embeds.to(self.logit_scale.dtype))
        return vectors

    def index(self, videos: Videos) -> ModalityVectors:
        """Unit picture and sound of each video."""
        return modality_vectors(self.heads, videos, self.settings.audio_alignment)

    def filled(self, videos: ModalityVectors) -> ModalityVectors:
        """The videos with the learned vector in place of sound that is missing, where there is one."""
        if self.null_sound is None:
            return videos
        # the learned vector counts as present: the measure is then that of three vectors
        vectors = torch.where(videos.present[..., None], videos.vectors, unit(self.null_sound))
        return ModalityVectors(vectors, torch.ones_like(videos.present))

    def measured(self, texts: Tensor, videos: ModalityVectors) -> Tensor:
        """M `(N, V)`."""
        return SIMPLEX_MEASURES[self.measure](texts, videos.vectors, videos.present)

    def score(self, texts: Texts, index: ModalityVectors, noise: NoiseSource) -> Tensor:
        """-M `(N, V)`."""
        return -self.measured(self.texts(texts), self.filled(index))

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """The contrastive loss of the measure, or PMRL's."""
        own, rows = self.texts(texts), self.filled(self.index(videos))
        if self.settings.objective == "pmrl":
            # PMRL: the leading direction of text, picture and sound together
            found = principal(torch.cat([own[:, None], rows.vectors], dim=1))
            leading = leading_loss(found.values, self.settings.value_temperature)
            separation = separation_loss(found.leading, self.settings.vector_temperature)
            terms = {"leading": leading.detach(), "separation": separation.detach()}
            return Losses(leading + separation, terms)
        scale, live = self.logit_scale.exp(), self.settings.candidates == "live"
        still = rows if live else rows.map(torch.Tensor.detach)
        # a small measure is a high similarity
        by_texts = -scale * self.measured(own, still)
        by_videos = by_texts if live else -scale * self.measured(own.detach(), rows)
        total = smoothed_infonce(by_texts, by_videos, self.settings.label_smoothing)
        return Losses(total, {"main": total.detach()})
