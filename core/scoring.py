"""Scores of all (text, video) pairs in tiles, through the method's own modules.

Right for any method, no Python work per pair and no `(N, V, D)` tensor: a tile holds as many pairs
as fit the budget. Scores do not depend on tile sizes or tile order.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.batch import Rows, Texts
from core.method import Method, NoiseSource

Condition = Literal["query", "released"]
"""`query`: leak-free. `released`: as the authors' evaluation code scores, own-caption leak included."""

TILE_BYTES = 32 * 2**20
"""Default size of a tile's largest tensor; small enough to stay near the cache of a CPU."""


@dataclass(frozen=True)
class Tile:
    """Scores of a block of texts against a block of videos."""

    texts: slice
    videos: slice
    scores: Tensor
    """`(len(texts), len(videos))`."""


@contextmanager
def exact_arithmetic(method: Method) -> Iterator[None]:
    """Evaluation mode, no gradients and no TF32 for the length of a block."""
    training, precision = method.training, torch.get_float32_matmul_precision()
    method.eval()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        method.train(training)


def tile_shape(pairs: int, texts: int, videos: int) -> tuple[int, int]:
    """Texts and videos of a tile of at most `pairs` pairs, wide in videos before deep in texts."""
    width = max(1, min(videos, pairs))
    return max(1, min(texts, pairs // width)), width


def score_tiles(
    method: Method, texts: Texts, index: Rows, noise: NoiseSource, tile_bytes: int = TILE_BYTES
) -> Iterator[Tile]:
    """Leak-free scores of texts `(N,)` against an index of V videos, tile by tile."""
    pairs = max(1, tile_bytes // (4 * method.floats_per_pair))
    rows, columns = tile_shape(pairs, len(texts), len(index))
    for top in range(0, len(texts), rows):
        block = slice(top, min(top + rows, len(texts)))
        for left in range(0, len(index), columns):
            part = slice(left, min(left + columns, len(index)))
            yield Tile(block, part, method.score(texts[block], index[part], noise))


def score_matrix(
    method: Method,
    texts: Texts,
    index: Rows,
    *,
    condition: Condition = "query",
    pairing: Tensor | None = None,
    noise: NoiseSource,
    tile_bytes: int = TILE_BYTES,
    on_texts: Callable[[int], None] = lambda count: None,
) -> Tensor:
    """All scores `(N, V)` float32 on the CPU, divided by exp(logit_scale).

    `pairing` `(N,)` int64 names each text's own video; only `released` may see it.
    """
    with exact_arithmetic(method):
        if condition == "released":
            if pairing is None:
                raise ValueError(
                    "the released condition pools with the video's own caption and needs the pairing"
                )
            released = (
                method.released_score(texts, index, pairing.to(texts.embeds.device), noise).float().cpu()
            )
            on_texts(len(texts))
            return released
        scores = torch.empty(len(texts), len(index))
        for tile in score_tiles(method, texts, index, noise, tile_bytes):
            scores[tile.texts, tile.videos] = tile.scores.float().cpu()
            if tile.videos.stop == len(index):
                on_texts(tile.texts.stop - tile.texts.start)
        return scores
