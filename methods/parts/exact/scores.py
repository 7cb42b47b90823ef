"""The exact engine's scores of a composed method: texts against bases."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from core.batch import Rows, Texts
from core.method import NoiseSource
from core.scoring.basis import Mixes, shared_products
from core.scoring.tiles import blocks
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
from methods.parts.perturbation import DeterministicText, Perturbation, StochasticText
from methods.parts.vectors import unit

if TYPE_CHECKING:
    from methods.composed import ComposedMethod


WIDE_TILES: Mapping[type[Perturbation], tuple[int, int]] = {
    DeterministicText: (256, 2),
    StochasticText: (32, 32),
}
"""Texts x videos of the tiles in which a radius of the full width exists: a megabyte or two, measured."""

DEVICE_FACTOR = 8
"""How much longer both sides are on an accelerator."""


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
    """Temporaries of `exact_scores` per pair, but for those of `WIDE_TILES`.

    With noise that videos share, a text's draw too, which the videos of a wide tile have in common.
    """
    parts, sources = method.parts, 2 if method.fusion.text_dependent else 1
    mix = 8 * (sources * parts.heads * method.dimensions.frames + 2)
    if not isinstance(method.perturbation, StochasticText) or parts.noise == "fresh":
        return mix
    return mix + parts.trials * method.dimensions.width // WIDE_TILES[StochasticText][1]


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
    out = asked.embeds.new_empty(len(asked), len(index))
    factor = 1 if out.device.type == "cpu" else DEVICE_FACTOR
    depth, width = (factor * side for side in WIDE_TILES[type(part)])
    width = max(width, depth * width // len(asked))
    for rows in blocks(len(asked), depth):
        for columns in blocks(len(index), width):
            pairs = (
                index.pooled[columns],
                coefficients[columns, :, rows],
                radii(part, cosines[columns, :, rows]),
            )
            if isinstance(part, DeterministicText):
                tile = shifted_cosines(*pairs, asked.embeds[rows], part.alpha)
            else:
                assert isinstance(part, StochasticText)
                own = None if finals is None else finals[columns]
                tile = best_trials(part, *pairs, asked[rows], index.keys[columns], noise, own)
            out[rows, columns] = tile.T
    return out


def best_trials(
    part: StochasticText,
    mixes: Mixes,
    coefficients: Tensor,
    radius: Tensor,
    asked: ExactQueries,
    keys: Tensor,
    noise: NoiseSource,
    finals: Tensor | None,
) -> Tensor:
    """Cosines `(V, N)` of the best of K random points per pair; videos by key `(V,)`."""
    directions = mix_directions(mixes, coefficients)
    if asked.noise is not None and finals is None:
        return shared_trials(asked.embeds, asked.noise, radius, directions)
    best = radius.new_empty(radius.shape[:2])
    for video in range(len(keys)):
        drawn = asked.noise
        if drawn is None:
            drawn = drawn_noise(part, noise, asked.keys, keys[video : video + 1], asked.embeds)
        final = None if finals is None else finals[video]
        best[video] = own_trials(asked.embeds, drawn, radius[video], directions[video], final)
    return best


def drawn_noise(
    part: StochasticText, noise: NoiseSource, texts: Tensor, videos: Tensor, like: Tensor
) -> Tensor:
    """Noise `(N, K, D)`, std included, for texts with one video, by key, or with all that share it."""
    return part.scaled(noise.draw(texts, videos, part.trials, like.shape[1], part.prior)[:, 0].to(like))
