"""The exact engine's view of a composed method: basis, queries and scores."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from core.basis import Mixes, shared_products
from core.batch import Rows, Texts
from core.method import NoiseSource
from methods.parts.conditioned import TextConditionedPooling
from methods.parts.exact.attention import (
    Head,
    attendable_frames,
    attended_vectors,
    frame_weights,
    head_of,
    pooled_coefficients,
    queries_of,
)
from methods.parts.exact.perturbed import mix_directions, own_trials, radii, shared_trials, shifted_cosines
from methods.parts.perturbation import DeterministicText, StochasticText
from methods.parts.pooling import MeanPooling
from methods.parts.vectors import unit

if TYPE_CHECKING:
    from methods.composed import ComposedMethod, VideoIndex


@dataclass(frozen=True)
class ExactIndex(Rows):
    """What the exact engine needs of each video."""

    keys: Tensor
    """`(V,)` int64, of the noise."""
    attendable: Tensor
    """`(V, F)` bool: frames that attention may look at."""
    directions: Tensor | None
    """`(V, F, D)` unit frames, zero for padding, where a radius asks for cosines with them."""
    attention_keys: Tensor | None
    """`(V, F, D)` where the text attends frames that it did not gate."""
    head: Head | None
    """What follows attention."""
    vector: Mixes | None
    """The pooled vector, one basis vector, where no text has a say in it."""


@dataclass(frozen=True)
class ExactQueries(Rows):
    """What the exact engine needs of each text."""

    embeds: Tensor
    """`(N, D)`."""
    directions: Tensor
    """`(N, D)` unit vectors."""
    keys: Tensor
    """`(N,)` int64, of the noise."""
    attention: Tensor | None
    """`(N, H, d)` queries of attention."""
    noise: Tensor | None
    """`(N, K, D)` of random points, std included, where videos share it."""


def obstacle(method: "ComposedMethod") -> str:
    """Why a composition has no algebra; empty where it has."""
    if method.fusion.text_dependent:
        return "gate that sees the text"
    if not isinstance(method.pooling, TextConditionedPooling | MeanPooling):
        return f"{method.parts.pooling} pooling"
    return ""


def floats_per_pair(method: "ComposedMethod") -> int:
    """All temporaries of `scores` per pair."""
    narrow = 8 * (method.parts.heads * method.dimensions.frames + 2)
    wide = {"none": 0, "dasp": 2, "stp": 6}[method.parts.perturbation]
    return narrow + wide * method.dimensions.width


def basis_of(method: "ComposedMethod", rows: "VideoIndex", vectors: Tensor | None = None) -> ExactIndex:
    """The basis of each video of an index, or of videos that are pooled to `vectors` `(V, D)` already."""
    head, keys, vectors = None, None, rows.vector if vectors is None else vectors
    if vectors is None:
        assert isinstance(method.pooling, TextConditionedPooling)
        assert rows.attention_values is not None
        head = head_of(method.pooling, attended_vectors(method.pooling, rows.attention_values))
        keys = rows.attention_keys
    directions = None if method.perturbation is None else unit(rows.frames) * rows.mask[..., None]
    vector = None if vectors is None else Mixes.of(vectors[:, None])
    return ExactIndex(rows.keys, attendable_frames(rows.mask), directions, keys, head, vector)


def queries(method: "ComposedMethod", texts: Texts, noise: NoiseSource) -> ExactQueries:
    """What scores need of each text."""
    embeds, part, drawn, attention = method.embeds(texts), method.perturbation, None, None
    if isinstance(part, StochasticText) and noise.shared:
        drawn = drawn_noise(part, noise, texts.keys, texts.keys[:0], embeds)
    if isinstance(method.pooling, TextConditionedPooling):
        attention = queries_of(method.pooling, embeds)
    return ExactQueries(embeds, unit(embeds), texts.keys, attention, drawn)


def mixed(
    method: "ComposedMethod", asked: ExactQueries, index: ExactIndex
) -> tuple[Mixes, Tensor, Tensor | None]:
    """Pooled vectors of all pairs as mixes, coefficients `(V, C, N)`, cosines with frames `(V, F, N)`."""
    cosines = None if index.directions is None else shared_products(index.directions, asked.directions)
    if index.head is None:
        assert index.vector is not None
        return index.vector, asked.embeds.new_ones(len(index), 1, len(asked)), cosines
    assert isinstance(method.pooling, TextConditionedPooling)
    assert asked.attention is not None
    assert index.attention_keys is not None
    weights = frame_weights(asked.attention, index.attention_keys, index.attendable)
    return index.head.pooled, pooled_coefficients(method.pooling, index.head, weights), cosines


def scores(
    method: "ComposedMethod",
    asked: ExactQueries,
    index: ExactIndex,
    noise: NoiseSource,
    finals: Tensor | None = None,
) -> Tensor:
    """`method.score` `(N, V)` of the queries against the bases.

    `finals` `(V, D)` unit vectors: what the random point that is chosen is compared with in the end.
    """
    mixes, coefficients, cosines = mixed(method, asked, index)
    part = method.perturbation
    if part is None or cosines is None:
        return mixes.cosines(asked.directions, coefficients).T
    radius = radii(part, cosines)
    if isinstance(part, DeterministicText):
        return shifted_cosines(mixes, coefficients, asked.embeds, radius, part.alpha).T
    assert isinstance(part, StochasticText)
    directions = mix_directions(mixes, coefficients)
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
