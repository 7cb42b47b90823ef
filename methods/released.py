"""The released evaluation of T-MASS and GAID: every video is pooled, and gated, with its own caption.

Their similarity function multiplies the feature of video v pooled by *v's own* k-th caption with every query
that is the k-th caption of its video, and GAID's gate at test time sees the video's first caption. The true
pairing is needed to compute such a score, so it is an argument; pure noise scores far above chance.
Reproduced for comparison only. With a pooling that looks at no text, only the gate is own.
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.batch import Texts
from core.method import NoiseSource
from methods.parts.pooling import Pooled

if TYPE_CHECKING:
    from methods.composed import ComposedMethod
    from methods.parts.index import VideoIndex

TILE_BYTES = 32 * 2**20
"""Largest tensor of a tile."""


def tiles(texts: Tensor, videos: int, floats_per_pair: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of `texts` `(n,)` int64 against videos `0 .. videos - 1`, in blocks of at most `TILE_BYTES`."""
    pairs = max(1, TILE_BYTES // (4 * floats_per_pair))
    width = max(1, min(videos, pairs))
    for columns in torch.split(torch.arange(videos, device=texts.device), width):
        for rows in torch.split(texts, max(1, pairs // width)):
            yield rows, columns


def captions_by_slot(pairing: Tensor, videos: int) -> tuple[Tensor, Tensor]:
    """Numbers each text among its video's captions.

    `pairing` `(N,)` int64 is each text's video; one outside `0 .. videos - 1` is not among these. Returns the
    slot of each text `(N,)` and the table `(slots, V)` of the text in each slot, -1 where a video has fewer
    captions.
    """
    order = pairing.argsort(stable=True)
    numbers = torch.arange(len(pairing), device=pairing.device)
    slots = torch.empty_like(pairing)
    slots[order] = numbers - torch.searchsorted(pairing[order], pairing[order])
    table = pairing.new_full((int(slots.max()) + 1 if len(slots) else 0, videos), -1)
    here = (pairing >= 0) & (pairing < videos)
    table[slots[here], pairing[here]] = numbers[here]
    return slots, table


def captions_of(texts: Tensor, rows: Tensor) -> Tensor:
    """Rows `(V,)` of texts `(N, D)`; NaN where the row is -1."""
    return torch.where((rows < 0)[:, None], torch.nan, texts[rows.clamp(min=0)])


def own_caption_scores(
    method: "ComposedMethod", texts: Texts, index: "VideoIndex", pairing: Tensor, noise: NoiseSource
) -> Tensor:
    """Scores `(N, V)` of every text against videos that were fused and pooled with their own captions.

    Gate: the video's first caption. Pooling: caption k for queries that are caption k of their video; NaN
    where the video has no caption k. The trial of STP is still chosen by the query's own pooling, as
    released. Works in tiles of at most `TILE_BYTES` per tensor.
    """
    embeds = method.embeds(texts)
    slots, table = captions_by_slot(pairing, len(index))
    fused = method.gated_by(captions_of(embeds, table[0]), index)
    scores = embeds.new_full((len(texts), len(index)), torch.nan)
    floats = embeds.shape[1] * (method.parts.trials + 1)  # fresh noise is drawn for every pair
    for slot in range(len(table)):
        captions = captions_of(embeds, table[slot])
        for rows, columns in tiles((slots == slot).nonzero()[:, 0], len(index), floats):
            tile = own_caption_tile(method, texts[rows], fused[columns], captions[columns], noise)
            scores[rows[:, None], columns] = tile
    return scores


def own_caption_tile(
    method: "ComposedMethod", texts: Texts, index: "VideoIndex", captions: Tensor, noise: NoiseSource
) -> Tensor:
    """Scores `(n, v)` of a tile whose videos are pooled by `captions` `(v, D)`, one each."""
    embeds, videos, scale = method.embeds(texts), index.prepared(), method.logit_scale.exp()

    @cache
    def by_query() -> Pooled:
        pooled: Pooled = method.pooling(embeds, videos)
        return pooled

    def select(query: Tensor) -> Tensor:
        return method.pooling.compare(query, by_query(), scale)

    if not method.pooling.text_conditioned:
        return method.perturbed(texts, index.keys, videos, noise, select)
    vector = method.pooling(captions, videos.paired()).vector[:, 0]
    own = Pooled(vector.masked_fill(captions.isnan().any(-1, keepdim=True), torch.nan))
    return method.perturbed(
        texts, index.keys, videos, noise, select, lambda query: method.pooling.compare(query, own, scale)
    )
