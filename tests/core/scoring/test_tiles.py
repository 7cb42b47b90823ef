"""Tiles: their shapes, and what a device without room for one does."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import Tensor

from core.batch import Rows
from core.capabilities import NoiseSource
from core.errors import BenchError
from core.scoring.noise import KeyedNoise
from core.scoring.tiles import (
    blocks,
    shape_for_algebra,
    shape_for_modules,
    videos_with_oom_retry,
    with_oom_retry,
)

NOISE = KeyedNoise(0, "per-text")


@dataclass(frozen=True)
class Numbers(Rows):
    values: Tensor


def products_in(room: int, tried: list[int]) -> Callable[[Rows, Rows, NoiseSource], Tensor]:
    """Products of numbers on a device with room for so many of them at a time."""

    def score(texts: Rows, videos: Rows, noise: NoiseSource) -> Tensor:
        tried.append(len(texts) * len(videos))
        if tried[-1] > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        assert isinstance(texts, Numbers)
        assert isinstance(videos, Numbers)
        return texts.values[:, None] * videos.values

    return score


@pytest.mark.parametrize("room", [1, 2, 7, 30, 1000])
def test_out_of_memory_makes_tiles_smaller_and_changes_no_score(room: int) -> None:
    texts, videos, tried = Numbers(torch.arange(1.0, 8)), Numbers(torch.arange(1.0, 14)), list[int]()
    scores = with_oom_retry(products_in(room, tried), texts, videos, NOISE)
    assert torch.equal(scores, torch.outer(texts.values, videos.values))
    assert (max(tried) > room) == (room < 7 * 13)


def test_no_room_for_a_single_pair_is_one_clear_error() -> None:
    texts, videos = Numbers(torch.ones(4)), Numbers(torch.ones(4))
    with pytest.raises(BenchError, match="out of GPU memory even for a single text-video pair"):
        with_oom_retry(products_in(0, []), texts, videos, NOISE)


@pytest.mark.parametrize(
    "shape", [shape_for_modules, *(partial(shape_for_algebra, texts_per_video=r) for r in (1, 16))]
)
@pytest.mark.parametrize("pairs", [1, 3, 10, 1000])
def test_a_tile_holds_at_most_its_pairs(
    shape: Callable[[int, int, int], tuple[int, int]], pairs: int
) -> None:
    rows, columns = shape(pairs, 7, 11)
    assert 1 <= rows <= 7
    assert 1 <= columns <= 11
    assert rows * columns <= max(pairs, 1)


@pytest.mark.parametrize(("texts_per_video", "shape"), [(1, (30, 30)), (4, (60, 15)), (16, (120, 7))])
def test_the_algebra_asks_for_the_shape_of_its_tiles(texts_per_video: int, shape: tuple[int, int]) -> None:
    assert shape_for_algebra(900, 500, 500, texts_per_video) == shape


@pytest.mark.parametrize("size", [1, 3, 10, 11])
def test_blocks_cover_a_range_once(size: int) -> None:
    assert [i for part in blocks(10, size) for i in range(10)[part]] == list(range(10))


@pytest.mark.parametrize("room", [1, 3, 100])
def test_videos_that_have_no_room_together_come_in_halves(room: int) -> None:
    def compute(part: slice) -> list[int]:
        if part.stop - part.start > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return list(range(100))[part]

    pieces = list(videos_with_oom_retry(compute, slice(10, 27)))
    assert [i for _, piece in pieces for i in piece] == list(range(10, 27))
    assert all(list(range(100))[part] == piece for part, piece in pieces)
    with pytest.raises(BenchError, match="out of GPU memory even for video 10 alone"):
        list(videos_with_oom_retry(lambda part: compute(slice(0, 1000)), slice(10, 27)))
