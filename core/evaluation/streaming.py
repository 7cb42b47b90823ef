"""Ranks and best lists straight from strips of scores, where the matrix `(N, V)` would not fit.

A strip is the score of all N texts with some videos. Video-to-text ranks and best lists come from one pass
over the strips; text-to-video needs each text's own score before it can count, hence a second pass, which
reads what the first one left on the disk (`scored_once`).
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import reduce
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from core.errors import BenchError
from core.evaluation.ranking import (
    TIE_TOLERANCE,
    Counts,
    QueryRecords,
    best_groups,
    check_pairing,
    compare_groups,
    compare_scores,
    largest_magnitude,
    require_finite,
    some_has_several,
)
from core.evaluation.top import KEPT, TopLists, best_of
from core.paths import ELSEWHERE, is_full

Strips = Callable[[], Iterable[tuple[slice, Tensor]]]
"""One pass: the videos of each strip, in order, and its scores `(N, v)` float32 on the CPU."""

STRIP = 2**20
"""Scores of a strip: ranking them takes a handful of temporaries of that size."""


def strip_width(texts: int) -> int:
    """Videos of a strip of N texts."""
    return max(1, STRIP // texts)


def room_for(folder: Path, texts: int, videos: int) -> bool:
    """Whether a folder's disk has room for the strips of a matrix, and as much again for everything else."""
    return shutil.disk_usage(folder).free >= 2 * 4 * texts * videos


@contextmanager
def scored_once(strips: Strips, folder: Path) -> Iterator[Strips]:
    """Strips that a complete first pass scores and every later one reads from a file in a folder.

    The file has no name: it is gone with the block, and with the process. Raises `BenchError` where the disk
    is full.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        places: list[tuple[slice, tuple[int, ...]]] = []
        complete = False

        def once() -> Iterator[tuple[slice, Tensor]]:
            nonlocal complete
            if complete:
                yield from read_strips(file, places)
                return
            places.clear()  # of a pass that was given up
            file.seek(0)
            for part, strip in strips():
                write_strip(file, strip, folder)
                places.append((part, tuple(strip.shape)))
                yield part, strip
            complete = True

        yield once


def write_strip(file: BinaryIO, strip: Tensor, folder: Path) -> None:
    """Appends a strip `(N, v)` float32; raises `BenchError` where the folder's disk is full."""
    try:
        file.write(strip.contiguous().numpy().data)
    except OSError as error:
        if not is_full(error, folder):
            raise
        raise BenchError(f"{folder}: the disk is full while scores are written; {ELSEWHERE}") from error


def read_strips(
    file: BinaryIO, places: Iterable[tuple[slice, tuple[int, ...]]]
) -> Iterator[tuple[slice, Tensor]]:
    """The strips of a file, whose videos and shapes are `places`, one after the other."""
    file.seek(0)
    for part, shape in places:
        strip = np.empty(shape, np.float32)
        file.readinto(strip.data)  # type: ignore[attr-defined]
        yield part, torch.from_numpy(strip)


@dataclass(frozen=True)
class Streamed:
    """What strips were ranked to, text-to-video first in each pair."""

    records: tuple[QueryRecords, QueryRecords]
    """As `core.evaluation.ranking` has them from a matrix."""
    lists: tuple[TopLists, TopLists]
    """As `core.evaluation.top` has them."""


def streamed_ranking(
    strips: Strips,
    videos: int,
    video_of_text: Tensor,
    *,
    tolerance: float = TIE_TOLERANCE,
    undefined: Literal["refuse", "allow"] = "refuse",
    kept: int = KEPT,
) -> Streamed:
    """Records and best lists of both directions, in two passes over the strips.

    `video_of_text` `(N,)` int64. Raises `BenchError` naming the pair where a score is not finite, unless
    `undefined` is "allow".
    """
    texts = len(video_of_text)
    check_pairing((texts, videos), video_of_text)
    queries, group_of_text = torch.unique(video_of_text, return_inverse=True)
    own_text, own_video, by_video = torch.empty(texts), torch.empty(len(queries)), list[Counts]()
    largest = torch.zeros(texts)
    text_lists = TopLists(torch.empty(texts, 0).long(), torch.empty(texts, 0))
    video_lists: list[TopLists] = []
    for part, strip in strips():
        if undefined == "refuse":
            require_finite(strip, first_text=0, videos=torch.arange(part.start, part.stop))
        here = positions_inside(video_of_text, part)
        largest = torch.maximum(largest, largest_magnitude(strip))
        own_text[here] = strip[here, video_of_text[here] - part.start]
        asking = positions_inside(queries, part).nonzero()[:, 0]
        best = best_groups(strip[:, queries[asking] - part.start], group_of_text, len(queries))
        own_video[asking], counts = compare_groups(best, asking, tolerance)
        by_video.append(replace(counts, best_wrong=queries[counts.best_wrong]))
        video_lists.append(best_of(queries.expand(len(best), -1), best, kept))
        text_lists = extended(text_lists, part, strip, kept)
    by_strip = (
        (part, compare_scores(strip, own_text, video_of_text - part.start, tolerance, largest))
        for part, strip in strips()
    )
    by_text = reduce(added, (replace(c, best_wrong=c.best_wrong + part.start) for part, c in by_strip))
    several = some_has_several(video_of_text)
    return Streamed(
        (
            QueryRecords("t2v", torch.arange(texts), video_of_text, own_text, by_text, videos, several),
            QueryRecords("v2t", queries, queries, own_video, concatenated(by_video), len(queries), several),
        ),
        (text_lists, concatenated(video_lists)),
    )


def extended(lists: TopLists, part: slice, strip: Tensor, kept: int) -> TopLists:
    """The best lists of texts after one more strip; what came before stays ahead of what equals it."""
    here = torch.arange(part.start, part.stop)
    best = best_of(here.expand(len(strip), -1), strip, kept)
    return best_of(torch.cat([lists.video, best.video], 1), torch.cat([lists.score, best.score], 1), kept)


def positions_inside(videos: Tensor, part: slice) -> Tensor:
    """Which of some videos `(Q,)` int64 a strip holds, `(Q,)` bool."""
    held: Tensor = (videos >= part.start) & (videos < part.stop)
    return held


Lot = TypeVar("Lot", Counts, TopLists)


def concatenated(parts: Sequence[Lot]) -> Lot:
    """Several lots of queries, one after the other."""
    columns = [[getattr(part, f.name) for part in parts] for f in fields(parts[0])]
    return type(parts[0])(*(torch.cat(column) for column in columns))


def added(first: Counts, second: Counts) -> Counts:
    """Counts of the same queries among the candidates of both; of equal rivals the first stays the best."""
    total = {f.name: getattr(first, f.name) + getattr(second, f.name) for f in fields(Counts)}
    better = second.best_wrong_score > first.best_wrong_score
    return Counts(
        **total
        | {
            "best_wrong": torch.where(better, second.best_wrong, first.best_wrong),
            "best_wrong_score": torch.where(better, second.best_wrong_score, first.best_wrong_score),
        }
    )
