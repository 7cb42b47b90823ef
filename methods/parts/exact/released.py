"""The released evaluation of T-MASS and GAID by algebra: the same scores as `methods.released`.

What a video is pooled to by its own caption is one vector, whatever the query; only the choice of T-MASS's
trial still looks at the video pooled by the query.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.batch import Texts
from core.method import NoiseSource
from core.tiles import EXACT_TILE_BYTES, blocks, deep_shape
from methods.parts.exact.index import basis_of
from methods.parts.exact.scores import exact_queries, exact_scores, floats_per_pair
from methods.parts.perturbation import StochasticText
from methods.parts.vectors import unit
from methods.released import captions_by_slot

if TYPE_CHECKING:
    from methods.composed import ComposedMethod, VideoIndex


def exact_own_caption_scores(
    method: "ComposedMethod", texts: Texts, index: "VideoIndex", pairing: Tensor, noise: NoiseSource
) -> Tensor:
    """Scores `(N, V)` of texts against videos that were fused and pooled with their own captions."""
    embeds = method.embeds(texts)
    slots, table = captions_by_slot(pairing, len(index))
    # A caption that is missing is stood in for by any other, and what comes of it is struck out.
    fused = method.gated_by(embeds[table[0].clamp(min=0)], index)
    by_query = basis_of(method, fused) if isinstance(method.perturbation, StochasticText) else None
    out = embeds.new_full((len(texts), len(index)), torch.nan)
    pairs = EXACT_TILE_BYTES // (4 * floats_per_pair(method))
    for slot, captions in enumerate(table):
        own = own_vectors(method, embeds[captions.clamp(min=0)], fused)
        basis, finals = (by_query, unit(own)) if by_query else (basis_of(method, fused, own), None)
        missing = captions < 0 if method.pooling.text_conditioned else table[0] < 0
        asked = (slots == slot).nonzero()[:, 0]
        rows, columns = deep_shape(pairs, len(asked), len(index))
        for block in blocks(len(asked), rows):
            query = exact_queries(method, texts[asked[block]], noise, gated=False)
            for part in blocks(len(index), columns):
                tile = exact_scores(
                    method, query, basis[part], noise, None if finals is None else finals[part]
                )
                out[asked[block], part] = tile
        if method.pooling.text_conditioned or index.audio is not None:
            out[asked[:, None], missing.nonzero()[:, 0]] = torch.nan
    return out


def own_vectors(method: "ComposedMethod", captions: Tensor, fused: "VideoIndex") -> Tensor:
    """Each video's frames pooled by one caption of `(V, D)`, `(V, D)`."""
    pooled: Tensor = method.pooling(captions, fused.prepared().paired()).vector[:, 0]
    return pooled
