"""The whole evaluation as released, stage by stage.

What its loops say about scores is in `methods.released.own_captions`: with a perturbation, the video that a
text is compared with was pooled by the video's own caption. Without one the product is X-Pool's, which is
clean.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.timing.clock import Stopwatch
from methods.parts.composition import Composition, VideoIndex
from methods.parts.perturbation.base import Draw
from methods.parts.vectors import unit
from methods.released.captions import captions_by_slot, captions_of
from methods.released.grouping import grouped, grouped_per_video

GROWTH = {"gate": 1, "pooling": 2, "perturbation": 2, "grouping": 2, "clean product": 2, "product": 3}
"""How a stage's time grows when texts and videos grow together: the exponent."""


def own_pairs_product(queries: Tensor, videos: Tensor) -> Tensor:
    """Scores `(G, M, V)` of texts `(G, M, D)` with videos pooled by that very text, `(V, G, M, D)`."""
    # video v pooled by text (g, m), as columns of that text
    vectors = unit(videos).permute(1, 2, 3, 0).flatten(0, 1)  # (G M, D, V)
    products = torch.bmm(unit(queries).flatten(0, 1)[:, None], vectors)[:, 0]
    scores: Tensor = products.unflatten(0, queries.shape[:2])
    return scores


def all_galleries_product(queries: Tensor, videos: Tensor) -> Tensor:
    """Scores `(G, M, V)` of perturbed texts `(V, G, M, D)` with pooled videos `(V, G, M, D)`, G = V.

    The batch of the one is the video that perturbed the text, the batch of the other the video that the
    pooling text belongs to, so that both must be one video; of the `(V, M, G, V)` products only the
    diagonal of that video is kept.
    """
    left = unit(queries).permute(0, 2, 1, 3).flatten(0, 1)  # (V M, G, D)
    right = unit(videos).permute(1, 2, 3, 0).flatten(0, 1)  # (G M, D, V)
    every = torch.bmm(left, right).unflatten(0, (len(queries), -1))  # (V, M, G, V)
    scores: Tensor = every.diagonal(dim1=0, dim2=3).transpose(0, 1)
    return scores


def as_released(
    method: Composition,
    texts: Tensor,
    index: VideoIndex,
    owners: Sequence[int],
    draw: Draw,
    watch: Stopwatch,
) -> Tensor:
    """Scores `(N, V)` of texts `(N, D)` by the released procedure; the watch's laps are its stages.

    `owners` names the video of each text; every video needs as many texts as every other. The pooling must
    be text-conditioned.
    """
    with watch.lap("gate"):
        _, table = captions_by_slot(torch.tensor(owners), len(index))
        videos = method.gated_by(captions_of(texts, table[0].to(texts.device)), index).videos
    with watch.lap("pooling"):
        pooled = method.pooling(texts, videos).vector.transpose(0, 1).contiguous()  # (V, N, D)
    perturbation = method.perturbation
    if not perturbation.seen:
        with watch.lap("grouping"):
            queries, groups = grouped(texts, owners, len(index)), grouped_per_video(pooled, owners)
        with watch.lap("clean product"):
            scores = own_pairs_product(queries, groups)
    else:
        with watch.lap("perturbation"):
            perturbed = perturbation.looped(texts, videos.frames, pooled, draw)
        with watch.lap("grouping"):
            queries, groups = grouped_per_video(perturbed, owners), grouped_per_video(pooled, owners)
        with watch.lap("product"):
            scores = all_galleries_product(queries, groups)
    rows = torch.tensor(owners, device=texts.device).argsort(stable=True).argsort()
    # back from groups of captions to the order of the texts
    return scores.flatten(0, 1)[rows]
