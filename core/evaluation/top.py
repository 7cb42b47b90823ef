"""The best candidates of every query: what a page shows, and what other evaluators read (TREC)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.evaluation.ranking import SCORES_AT_ONCE, Direction, best_captions
from core.scoring.tiles import blocks

KEPT = 20
"""Candidates kept per query."""


@dataclass(frozen=True)
class TopLists:
    """The best candidates of Q queries, best first; fields `(Q, k)` on the CPU."""

    video: Tensor
    """int64: position of the candidate; in video-to-text the video whose captions it means."""
    score: Tensor
    """Its score; -inf where it has none."""


def top_lists(scores: Tensor, video_of_text: Tensor, direction: Direction, kept: int = KEPT) -> TopLists:
    """The best `kept` candidates of each query of a direction, from `scores` `(N, V)`.

    Queries and candidates are those of `text_to_video` and `video_to_text` (`core/evaluation/ranking.py`).
    Equal scores keep the order of the candidates. An undefined (NaN) candidate stands behind all others.
    """
    video_of_text = video_of_text.to(scores.device)
    videos = torch.arange(scores.shape[1], device=scores.device)
    if direction == "v2t":
        videos, group = torch.unique(video_of_text, return_inverse=True)
        scores = best_captions(scores[:, videos], group, len(videos)).T
    return best_of(videos.expand(len(scores), -1), scores, kept)


def best_of(videos: Tensor, scores: Tensor, kept: int) -> TopLists:
    """The best `kept` of some candidates `(Q, C)` by their scores; equal ones keep their order."""
    kept = min(kept, scores.shape[1])
    chosen = torch.empty(len(scores), kept, dtype=torch.int64, device=scores.device)
    values = scores.new_empty(len(scores), kept)
    # a block stays in the cache, and so does the copy of it whose NaN are replaced
    for rows in blocks(len(scores), max(1, SCORES_AT_ONCE // max(1, scores.shape[1]))):
        places, values[rows] = best_places(without_nan(scores[rows]), kept)
        chosen[rows] = videos[rows].gather(1, places)
    return TopLists(chosen.cpu(), values.float().cpu())


def without_nan(scores: Tensor) -> Tensor:
    """The scores with -inf for NaN; the same tensor where there is none."""
    # a sum reads a score once, and a NaN anywhere makes it NaN (so does inf - inf, which costs a copy)
    if not bool(scores.sum().isnan()):
        return scores
    return scores.nan_to_num(-torch.inf, torch.inf, -torch.inf)


def best_places(scores: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    """Positions and values `(Q, kept)` of the largest of `scores` `(Q, C)`, as a stable sort has them.

    No NaN may be among them.
    """
    if kept == 0:
        return scores[:, :0].long(), scores[:, :0]
    count = scores.shape[1]
    best = scores.topk(min(kept + 1, count), dim=1)
    places, edge = best.indices[:, :kept], best.values[:, kept - 1 : kept]
    if kept < count:
        # where one more candidate reaches the edge, topk has taken any of those that tie there
        crowded = (best.values[:, kept] == edge[:, 0]).nonzero()[:, 0]
        level = best.values[crowded, :kept] == edge[crowded]
        chosen = places[crowded]
        chosen[level] = first_of_ties(scores, crowded, edge[crowded], level.sum(1))
        places[crowded] = chosen
    places = places.sort(dim=1).values
    # positions ascend, so that a stable sort of the few leaves equal ones in their order
    values, order = scores.gather(1, places).sort(dim=1, descending=True, stable=True)
    return places.gather(1, order), values


def first_of_ties(scores: Tensor, rows: Tensor, edge: Tensor, wanted: Tensor) -> Tensor:
    """Positions of the first `wanted` `(R,)` scores of some rows that equal `edge` `(R, 1)`.

    `(sum of wanted,)` int64, row after row, ascending in each.
    """
    count = scores.shape[1]
    if not len(rows):
        return rows
    # the more ties there are, the fewer columns hold the first of them
    for width in sorted({-(-count // 64), -(-count // 8), count}):
        level = scores[rows, :width] == edge
        ties = level.sum(1)
        if bool((ties >= wanted).all()):
            break
    row, place = level.nonzero().unbind(1)
    number = torch.arange(len(row), device=row.device) - (ties.cumsum(0) - ties)[row]
    first: Tensor = place[number < wanted[row]]
    return first


def times_listed(video: Tensor, candidates: int) -> Tensor:
    """How often each of C candidates is in some lists, `(C,)` int64, in no particular order.

    `video` `(n,)` int64 names the candidates of all lists; those that it does not name are in none.
    """
    counts = video.unique(return_counts=True)[1]
    return torch.cat([counts, counts.new_zeros(max(0, candidates - len(counts)))])
