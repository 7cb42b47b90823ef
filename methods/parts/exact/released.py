"""The released evaluation of T-MASS and GAID by algebra: the same scores as `methods.released`.

What a video is pooled to by its own caption is one vector, whatever the query; only the choice of T-MASS's
trial still looks at the video pooled by the query.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.batch import Texts
from core.method import NoiseSource
from core.scoring.tiles import blocks, deep_shape, default_tile_bytes
from methods.parts.exact.index import basis_of
from methods.parts.exact.scores import exact_queries, exact_scores, floats_per_pair
from methods.parts.perturbation import StochasticText
from methods.parts.vectors import unit
from methods.released import captions_by_slot

if TYPE_CHECKING:
    from methods.composed import ComposedMethod
    from methods.parts.index import VideoIndex


def exact_own_caption_scores(
    method: "ComposedMethod", texts: Texts, index: "VideoIndex", pairing: Tensor, noise: NoiseSource
) -> Tensor:
    """Scores `(N, V)` of texts against videos that were fused and pooled with their own captions."""
    embeds = method.embeds(texts)
    slots, table = captions_by_slot(pairing, len(index))
    # A caption that is missing is stood in for by any other; nothing of what comes of it is kept.
    fused = method.gated_by(embeds[table[0].clamp(min=0)], index)
    by_query = basis_of(method, fused) if isinstance(method.perturbation, StochasticText) else None
    out = embeds.new_full((len(texts), len(index)), torch.nan)
    pairs = default_tile_bytes(embeds.device, exact=True) // (4 * floats_per_pair(method))
    for slot, captions in enumerate(table):
        asked, videos = (slots == slot).nonzero()[:, 0], scorable(method, index, captions, table[0])
        own = own_vectors(method, embeds[captions[videos].clamp(min=0)], fused[videos])
        if by_query is None:
            basis, finals = basis_of(method, fused[videos], own), None
        else:
            basis, finals = by_query[videos], unit(own)
        rows, columns = deep_shape(pairs, len(asked), len(videos))
        for block in blocks(len(asked), rows):
            query = exact_queries(method, texts[asked[block]], noise, gated=False)
            for part in blocks(len(videos), columns):
                final = None if finals is None else finals[part]
                tile = exact_scores(method, query, basis[part], noise, final)
                out[asked[block, None], videos[part]] = tile
    return out


def scorable(method: "ComposedMethod", index: "VideoIndex", captions: Tensor, first: Tensor) -> Tensor:
    """Videos `(v,)` that have the caption that a score needs: one that pools, a first that gates, or none.

    Captions in this slot and in the first `(V,)`, -1 where there is none.
    """
    if method.pooling.text_conditioned:
        return (captions >= 0).nonzero()[:, 0]
    if index.audio is not None:
        return (first >= 0).nonzero()[:, 0]
    return torch.arange(len(index), device=captions.device)


def own_vectors(method: "ComposedMethod", captions: Tensor, fused: "VideoIndex") -> Tensor:
    """Each video's frames pooled by one caption of `(V, D)`, `(V, D)`."""
    pooled: Tensor = method.pooling(captions, fused.prepared().paired()).vector[:, 0]
    return pooled
