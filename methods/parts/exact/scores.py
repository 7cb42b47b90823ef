"""The exact engine's scores of a composed method: texts against bases."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from core.basis import shared_products
from core.batch import Rows, Texts
from core.method import NoiseSource
from methods.parts.conditioned import TextConditionedPooling
from methods.parts.exact.attention import frame_weights, pooled_coefficients, queries_of
from methods.parts.exact.gated import (
    GatedFrames,
    fused_cosines,
    fused_mean,
    shares,
    source_queries,
    source_weights,
)
from methods.parts.exact.index import ExactIndex
from methods.parts.exact.perturbed import mix_directions, own_trials, radii, shared_trials, shifted_cosines
from methods.parts.fusion import GateFusion
from methods.parts.perturbation import DeterministicText, StochasticText
from methods.parts.vectors import unit

if TYPE_CHECKING:
    from methods.composed import ComposedMethod


@dataclass(frozen=True)
class ExactQueries(Rows):
    """What the exact engine needs of each text."""

    embeds: Tensor
    """`(N, D)`."""
    directions: Tensor
    """`(N, D)` unit vectors."""
    keys: Tensor
    """`(N,)` int64, of the noise."""
    gate: Tensor | None
    """`(N,)` what the text puts into the gate."""
    attention: Tensor | None
    """`(N, H, d)` queries of keys, or `(N, H, D)` of frames that a gate fuses."""
    noise: Tensor | None
    """`(N, K, D)` of random points, std included, where videos share it."""


def floats_per_pair(method: "ComposedMethod") -> int:
    """All temporaries of `exact_scores` per pair."""
    sources = 2 if method.fusion.text_dependent else 1
    narrow = 8 * (sources * method.parts.heads * method.dimensions.frames + 2)
    wide = {"none": 0, "dasp": 2, "stp": 6}[method.parts.perturbation]
    return narrow + wide * method.dimensions.width


def exact_queries(method: "ComposedMethod", texts: Texts, noise: NoiseSource, *, gated: bool) -> ExactQueries:
    """What scores need of each text, against videos that a gate is yet to fuse (`gated`) or fused ones."""
    embeds, fusion, pooling, part = method.embeds(texts), method.fusion, method.pooling, method.perturbation
    gate, attention, drawn = None, None, None
    if isinstance(pooling, TextConditionedPooling):
        attention = queries_of(pooling, embeds)
        attention = source_queries(pooling, attention) if gated else attention
    if gated:
        assert isinstance(fusion, GateFusion)
        gate = fusion.text_logits(embeds)[:, 0]
    if isinstance(part, StochasticText) and noise.shared:
        drawn = drawn_noise(part, noise, texts.keys, texts.keys[:0], embeds)
    return ExactQueries(embeds, unit(embeds), texts.keys, gate, attention, drawn)


def mixed(method: "ComposedMethod", asked: ExactQueries, index: ExactIndex) -> tuple[Tensor, Tensor | None]:
    """Coefficients `(V, C, N)` of the pooled vectors, and cosines `(V, F, N)` with frames for a radius."""
    if index.gated is not None:
        return mixed_by_gate(method, asked, index, index.gated)
    cosines = None if index.directions is None else shared_products(index.directions, asked.directions)
    if index.head is None:
        return asked.embeds.new_ones(len(index), 1, len(asked)), cosines
    assert isinstance(method.pooling, TextConditionedPooling)
    assert asked.attention is not None
    assert index.attention_keys is not None
    weights = frame_weights(asked.attention, index.attention_keys, index.attendable)
    return pooled_coefficients(method.pooling, index.head, weights), cosines


def mixed_by_gate(
    method: "ComposedMethod", asked: ExactQueries, index: ExactIndex, gated: GatedFrames
) -> tuple[Tensor, Tensor | None]:
    """See `mixed`."""
    assert asked.gate is not None
    split = shares(gated, asked.gate)
    cosines = None
    if method.perturbation is not None:
        cosines = fused_cosines(gated, split, asked.directions, index.mask)
    if index.head is None:
        return fused_mean(gated, split, index.mask), cosines
    assert isinstance(method.pooling, TextConditionedPooling)
    assert asked.attention is not None
    weights = source_weights(method.pooling, gated, split, asked.attention, index.attendable)
    return pooled_coefficients(method.pooling, index.head, weights), cosines


def exact_scores(
    method: "ComposedMethod",
    asked: ExactQueries,
    index: ExactIndex,
    noise: NoiseSource,
    finals: Tensor | None = None,
) -> Tensor:
    """`method.score` `(N, V)` of the queries against the bases.

    `finals` `(V, D)` unit vectors: what the random point that is chosen is compared with in the end.
    """
    coefficients, cosines = mixed(method, asked, index)
    part = method.perturbation
    if part is None or cosines is None:
        return index.pooled.cosines(asked.directions, coefficients).T
    radius = radii(part, cosines)
    if isinstance(part, DeterministicText):
        return shifted_cosines(index.pooled, coefficients, asked.embeds, radius, part.alpha).T
    assert isinstance(part, StochasticText)
    directions = mix_directions(index.pooled, coefficients)
    if asked.noise is not None and finals is None:
        return shared_trials(asked.embeds, asked.noise, radius, directions).T
    best = asked.embeds.new_empty(len(asked), len(index))
    for video in range(len(index)):
        drawn = asked.noise
        if drawn is None:
            drawn = drawn_noise(part, noise, asked.keys, index.keys[video : video + 1], asked.embeds)
        final = None if finals is None else finals[video]
        best[:, video] = own_trials(asked.embeds, drawn, radius[video], directions[video], final)
    return best


def drawn_noise(
    part: StochasticText, noise: NoiseSource, texts: Tensor, videos: Tensor, like: Tensor
) -> Tensor:
    """Noise `(N, K, D)`, std included, for texts with one video, by key, or with all that share it."""
    return part.scaled(noise.draw(texts, videos, part.trials, like.shape[1], part.prior)[:, 0].to(like))
