"""The released evaluation of T-MASS and GAID: every video is pooled, and gated, with its own caption.

Their similarity function multiplies the feature of video v pooled by *v's own* k-th caption with every query
that is the k-th caption of its video, and GAID's gate at test time sees the video's first caption. The true
pairing is needed to compute such a score, so it is an argument; pure noise scores far above chance.
Reproduced for comparison only. With a pooling that looks at no text, only the gate is own.

By algebra, what a video is pooled to by its own caption is one vector, whatever the query; only the choice of
T-MASS's trial still looks at the video pooled by the query.
"""

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from core.batch import Texts
from core.capabilities import NoiseSource, ReleasedScorer
from core.scoring.tiles import blocks, default_tile_bytes, shape_for_algebra
from methods.parts.composition import Composition, VideoIndex
from methods.parts.exact import exact_of_fused, exact_of_pooled
from methods.parts.pooled import Pooled
from methods.released.captions import captions_by_slot, captions_of

TILE_BYTES = 32 * 2**20
"""Largest tensor of a tile."""


class OwnCaptions(ReleasedScorer[VideoIndex]):
    """Gate: the video's first caption. Pooling: caption k for queries that are caption k of their video.

    NaN where the video has no caption k. The trial of STP is still chosen by the query's own pooling.
    """

    def __init__(self, method: Composition) -> None:
        self.method = method
        chooses = method.perturbation.chooses
        self.exact = exact_of_fused(method) if chooses else exact_of_pooled(method)

    def score(self, texts: Texts, index: VideoIndex, pairing: Tensor, noise: NoiseSource) -> Tensor:
        """By the modules, in tiles of at most `TILE_BYTES` per tensor."""
        method = self.method
        embeds = method.embeds(texts)
        slots, table = captions_by_slot(pairing, len(index))
        # GAID's gate at test time sees the first caption of a video, whatever the query
        fused = method.gated_by(captions_of(embeds, table[0]), index)
        scores = embeds.new_full((len(texts), len(index)), torch.nan)
        floats = embeds.shape[1] * (method.parts.trials + 1)  # fresh noise is drawn for every pair
        # a query that is caption k of its video meets every video pooled by caption k of that one
        for slot, rows in enumerate(table):
            captions = captions_of(embeds, rows)
            for asked, columns in tiles((slots == slot).nonzero()[:, 0], len(index), floats):
                tile = self.tile_scores(texts[asked], fused[columns], captions[columns], noise)
                scores[asked[:, None], columns] = tile
        return scores

    def tile_scores(self, texts: Texts, index: VideoIndex, captions: Tensor, noise: NoiseSource) -> Tensor:
        """Scores `(n, v)` of a tile whose videos are pooled by `captions` `(v, D)`, one each."""
        method, videos = self.method, index.videos

        @cache
        def by_query() -> Pooled:
            pooled: Pooled = method.pooling(method.embeds(texts), videos)
            return pooled

        def select(query: Tensor) -> Tensor:
            return method.compared(query, texts, by_query())

        if not method.pooling.text_conditioned:
            return method.perturbed(texts, index.keys, videos, noise, select)
        # video j pooled by its own caption
        vector = method.pooling(captions, videos.paired()).vector[:, 0]
        # a video without a caption k has no score for these queries
        vector = vector.masked_fill(captions.isnan().any(-1, keepdim=True), torch.nan)
        own = Pooled(vector, videos.frames, videos.mask)
        return method.perturbed(
            texts, index.keys, videos, noise, select, lambda query: method.compared(query, texts, own)
        )

    def score_by_algebra(
        self, texts: Texts, index: VideoIndex, pairing: Tensor, noise: NoiseSource
    ) -> Tensor:
        """The same scores, of videos that were fused and pooled once; by the modules without algebra."""
        method, exact = self.method, self.exact
        if exact is None:
            return self.score(texts, index, pairing, noise)
        embeds, chooses = method.embeds(texts), method.perturbation.chooses
        slots, table = captions_by_slot(pairing, len(index))
        # A caption that is missing is stood in for by any other; nothing of what comes of it is kept.
        fused = method.gated_by(embeds[table[0].clamp(min=0)], index)
        by_query = exact.index(fused) if chooses else None
        out = embeds.new_full((len(texts), len(index)), torch.nan)
        pairs = default_tile_bytes(embeds.device, exact=True) // (4 * exact.floats_per_pair)
        for slot, captions in enumerate(table):
            asked, scored = (slots == slot).nonzero()[:, 0], self.scorable(index, captions, table[0])
            videos = fused[scored]
            # one vector per video and slot: what the query would change is only the choice of a trial
            own = method.pooling(embeds[captions[scored].clamp(min=0)], videos.videos.paired()).vector[:, 0]
            basis = exact.pooled_to(videos, own) if by_query is None else by_query[scored]
            rows, columns = shape_for_algebra(pairs, len(asked), len(scored), exact.texts_per_video)
            for block in blocks(len(asked), rows):
                query = exact.queries(texts[asked[block]], noise)
                for part in blocks(len(scored), columns):
                    # the query's own pooling chooses the trial, the caption's scores it
                    if chooses:
                        tile = exact.chosen_score(query, basis[part], own[part], noise)
                    else:
                        tile = exact.score(query, basis[part], noise)
                    out[asked[block, None], scored[part]] = tile
        return out

    def scorable(self, index: VideoIndex, captions: Tensor, first: Tensor) -> Tensor:
        """Videos `(v,)` that have the caption that a score needs: one that pools, a first, or none.

        Captions in this slot and in the first `(V,)`, -1 where there is none.
        """
        if self.method.pooling.text_conditioned:
            return (captions >= 0).nonzero()[:, 0]
        if index.audio is not None:
            return (first >= 0).nonzero()[:, 0]
        return torch.arange(len(index), device=captions.device)


def tiles(texts: Tensor, videos: int, floats_per_pair: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of `texts` `(n,)` int64 against videos `0 .. videos - 1`, in blocks of at most `TILE_BYTES`."""
    pairs = max(1, TILE_BYTES // (4 * floats_per_pair))
    width = max(1, min(videos, pairs))
    for columns in torch.split(torch.arange(videos, device=texts.device), width):
        for rows in torch.split(texts, max(1, pairs // width)):
            yield rows, columns
