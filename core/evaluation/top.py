"""The best candidates of every query: what a page shows, and what other evaluators read (TREC)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.evaluation.ranking import Direction, best_captions

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
    known = scores.masked_fill(scores.isnan(), -torch.inf)
    best = known.sort(dim=1, descending=True, stable=True)
    chosen = videos.gather(1, best.indices[:, :kept])
    return TopLists(chosen.cpu(), best.values[:, :kept].float().cpu())


def times_listed(video: Tensor, candidates: int) -> Tensor:
    """How often each of C candidates is in some lists, `(C,)` int64, in no particular order.

    `video` `(n,)` int64 names the candidates of all lists; those that it does not name are in none.
    """
    counts = video.unique(return_counts=True)[1]
    return torch.cat([counts, counts.new_zeros(max(0, candidates - len(counts)))])
