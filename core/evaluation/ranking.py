"""From similarities to one record per query: how many candidates score higher, and how many tie.

Counts are all that any tie policy needs (`core/evaluation/metrics.py`), and they add up over tiles of
candidates, so nothing here ever needs more than a block of rows, or of columns, at a time.

- Text-to-video: every caption is a query, every video a candidate. A video without captions is a
  distractor.
- Video-to-text: every video with captions is a query; candidates are the caption groups, one per such
  video, each scored by its best caption. A video without captions is neither.
- An undefined (NaN) candidate ranks before every number in text-to-video, where a descending sort puts
  it, and an undefined caption counts for nothing in video-to-text, both as in the released code of
  X-Pool and T-MASS. An own score that is not finite leaves the query undefined.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from core.errors import BenchError

Direction = Literal["t2v", "v2t"]
"""Text-to-video or video-to-text."""

TIE_TOLERANCE = 16 * 2**-23
"""Share of the largest magnitude among a query's scores by which two may differ and still tie.

16 units in the last place of float32, about 1e-6 for cosines near .5. So a score, a thousandth and a
thousandfold of it have the same ranks. Rescored similarities take 0."""

SCORES_AT_ONCE = 2**18
"""Scores compared at a time: the handful of temporaries of this size stays in the cache."""


@dataclass(frozen=True)
class Counts:
    """How queries stand among candidates other than their own; fields `(Q,)`, int64 unless said."""

    greater: Tensor
    """Candidates that score higher by more than the tolerance."""
    ties: Tensor
    """Candidates within the tolerance."""
    above: Tensor
    """Candidates that score higher at all."""
    equal: Tensor
    """Candidates whose score is the very same number."""
    equal_before: Tensor
    """Those of `equal` that stand at an earlier position: a stable sort puts them first."""
    undefined: Tensor
    """Candidates whose score is NaN; they are in none of the other counts."""
    best_wrong: Tensor
    """Position of the highest-scoring candidate that is not the query's own."""
    best_wrong_score: Tensor
    """Its score, floating; -inf where there is no other candidate."""


@dataclass(frozen=True)
class QueryRecords:
    """One direction of one similarity matrix, a row per query; fields `(Q,)` on the CPU."""

    direction: Direction
    query: Tensor
    """int64: the text (t2v) or the video (v2t) that asks."""
    video: Tensor
    """int64: the video that the query belongs to; intervals cluster by it."""
    own_score: Tensor
    """Score of the query with its own video or its own video's best caption; not finite: undefined."""
    counts: Counts
    """Where that score stands; `best_wrong` is a video (v2t: the video whose captions it means)."""
    candidates: int
    """Videos (t2v) or caption groups (v2t) that were ranked."""
    several_captions: bool
    """Whether some video has more than one caption; CLIP4Clip then computes other metrics."""

    def __len__(self) -> int:
        return len(self.query)


def compare_scores(
    scores: Tensor,
    own_score: Tensor,
    own_position: Tensor,
    tolerance: float = TIE_TOLERANCE,
    largest: Tensor | None = None,
) -> Counts:
    """Counts of queries `(Q,)` with `own_score` against candidates `(Q, C)` in `scores`.

    `own_position` `(Q,)` int64 is the query's own candidate, which is left out; it lies outside `[0, C)`
    where these C candidates are a tile that does not hold it. Then `largest` `(Q,)` is the magnitude whose
    share the tolerance is; that of these scores unless given.
    """
    allowed = tolerance * (largest_magnitude(scores) if largest is None else largest)[:, None]
    own, position = own_score[:, None], own_position[:, None]
    positions = torch.arange(scores.shape[1], device=scores.device)
    others = scores.masked_fill(positions == position, -torch.inf)
    undefined = others.isnan()
    others.masked_fill_(undefined, -torch.inf)
    best = others.max(dim=1)
    difference = others - own
    greater = (difference > allowed).sum(1)
    equal = others == own
    before = (equal & (positions < position)).sum(1)
    return Counts(
        greater=greater,
        ties=(difference >= -allowed).sum(1) - greater,
        above=(others > own).sum(1),
        equal=before + (equal & (positions > position)).sum(1),
        equal_before=before,
        undefined=undefined.sum(1),
        best_wrong=best.indices,
        best_wrong_score=best.values,
    )


def largest_magnitude(scores: Tensor) -> Tensor:
    """The largest absolute score of each row of `(Q, C)`, `(Q,)`; what is not finite counts for nothing."""
    return scores.abs().masked_fill_(~scores.isfinite(), 0.0).amax(1)


def text_to_video(
    scores: Tensor,
    video_of_text: Tensor,
    *,
    tolerance: float = TIE_TOLERANCE,
    undefined: Literal["refuse", "allow"] = "refuse",
) -> QueryRecords:
    """Records of all N captions as queries, from `scores` `(N, V)` and `video_of_text` `(N,)` int64.

    Raises `BenchError` naming the pair where a score is not finite, unless `undefined` is "allow".
    """
    video_of_text = check_pairing(scores.shape, video_of_text).to(scores.device)
    own_scores, counts = scores.new_empty(len(scores)), _empty(len(scores), scores)
    for rows in _blocks(*scores.shape):
        block, own = _precise(scores[rows]), video_of_text[rows]
        if undefined == "refuse":
            require_finite(block, first_text=rows.start, videos=torch.arange(scores.shape[1]))
        own_scores[rows] = block.gather(1, own[:, None])[:, 0]
        _fill(counts, rows, compare_scores(block, own_scores[rows], own, tolerance))
    return QueryRecords(
        direction="t2v",
        query=torch.arange(len(scores)),
        video=video_of_text.cpu(),
        own_score=own_scores.cpu(),
        counts=_on_cpu(counts),
        candidates=scores.shape[1],
        several_captions=some_has_several(video_of_text),
    )


def video_to_text(
    scores: Tensor,
    video_of_text: Tensor,
    *,
    tolerance: float = TIE_TOLERANCE,
    undefined: Literal["refuse", "allow"] = "refuse",
) -> QueryRecords:
    """Records of all videos with captions as queries, from `scores` `(N, V)` and `video_of_text` `(N,)`.

    Raises `BenchError` naming the pair where a score is not finite, unless `undefined` is "allow".
    """
    video_of_text = check_pairing(scores.shape, video_of_text).to(scores.device)
    videos, group_of_text = torch.unique(video_of_text, return_inverse=True)
    own_scores, counts = scores.new_empty(len(videos)), _empty(len(videos), scores)
    groups = torch.arange(len(videos), device=scores.device)
    for block in _blocks(len(videos), len(scores)):
        columns = _precise(scores[:, videos[block]])
        if undefined == "refuse":
            require_finite(columns, first_text=0, videos=videos[block])
        best = best_groups(columns, group_of_text, len(videos))
        own_scores[block], part = compare_groups(best, groups[block], tolerance)
        _fill(counts, block, part)
    counts.best_wrong.copy_(videos[counts.best_wrong])
    return QueryRecords(
        direction="v2t",
        query=videos.cpu(),
        video=videos.cpu(),
        own_score=own_scores.cpu(),
        counts=_on_cpu(counts),
        candidates=len(videos),
        several_captions=some_has_several(video_of_text),
    )


def best_groups(columns: Tensor, group_of_text: Tensor, groups: int) -> Tensor:
    """Scores `(v, G)` of videos as queries with caption groups, from those with captions `(N, v)`."""
    return best_captions(columns, group_of_text, groups).T.contiguous()


def compare_groups(best: Tensor, own: Tensor, tolerance: float) -> tuple[Tensor, Counts]:
    """Own scores `(v,)` and counts of videos as queries, from their scores `(v, G)` with caption groups.

    Each video's own group in `own` `(v,)` int64.
    """
    own_scores = best.gather(1, own[:, None])[:, 0]
    return own_scores, compare_scores(best, own_scores, own, tolerance)


def best_captions(scores: Tensor, group_of_text: Tensor, groups: int) -> Tensor:
    """Score of each of the `groups` by its best caption, `(G, V)`.

    From `scores` `(N, V)` and `group_of_text` `(N,)` int64. NaN counts as -inf, and so does a group
    without captions.
    """
    known = scores.masked_fill(scores.isnan(), -torch.inf)
    best = known.new_full((groups, scores.shape[1]), -torch.inf)
    return best.scatter_reduce_(0, group_of_text[:, None].expand_as(known), known, "amax")


def _blocks(rows: int, width: int) -> Iterator[slice]:
    """Slices that cover `rows`, each of about `SCORES_AT_ONCE` entries of that width."""
    step = max(1, SCORES_AT_ONCE // max(1, width))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def _empty(queries: int, scores: Tensor) -> Counts:
    """Counts to be filled block by block; kept parts would pin the freed temporaries around them."""
    integers = {f.name: torch.empty(queries, dtype=torch.int64, device=scores.device) for f in fields(Counts)}
    return Counts(**{**integers, "best_wrong_score": scores.new_empty(queries)})


def _fill(counts: Counts, rows: slice, part: Counts) -> None:
    for name, values in vars(part).items():
        vars(counts)[name][rows] = values


def _on_cpu(counts: Counts) -> Counts:
    return Counts(**{name: values.cpu() for name, values in vars(counts).items()})


def _precise(scores: Tensor) -> Tensor:
    """Half precision as float32, the others as they are."""
    return scores if scores.dtype == torch.float64 else scores.float()


def some_has_several(video_of_text: Tensor) -> bool:
    """Whether some video has more than one caption."""
    return bool((video_of_text.bincount() > 1).any())


def check_pairing(shape: Sequence[int], video_of_text: Tensor) -> Tensor:
    """The pairing, if it names one of V videos for each of N texts of scores of a shape `(N, V)`.

    Raises `BenchError` where it does not.
    """
    if len(shape) != 2 or 0 in shape:
        raise BenchError(f"nothing to rank: scores of shape {tuple(shape)}, expected (texts, videos)")
    texts, videos = shape
    if video_of_text.shape != (texts,):
        raise BenchError(f"{texts} texts are scored, but {len(video_of_text)} have a video to belong to")
    outside = (video_of_text < 0) | (video_of_text >= videos)
    if bool(outside.any()):
        text = int(outside.nonzero()[0])
        raise BenchError(
            f"text {text} is assigned to video {int(video_of_text[text])}, but there are only {videos} videos"
        )
    return video_of_text


def require_finite(scores: Tensor, first_text: int, videos: Tensor) -> None:
    """Raises `BenchError` naming the first pair of a block of scores that is not finite."""
    if not bool(scores.isfinite().all()):
        text, column = (~scores.isfinite()).nonzero()[0].tolist()
        value = float(scores[text, column])
        raise BenchError(
            f"the score of text {first_text + text} with video {int(videos[column])} is {value}; "
            "only the released protocols may leave scores undefined"
        )
