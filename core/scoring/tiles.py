"""Tiles of a score matrix: how large they are, and what happens where memory runs out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isqrt
from typing import Any, TypeVar

import torch
from torch import Tensor

from core.batch import Rows
from core.capabilities import NoiseSource
from core.errors import BenchError

MODULE_TILE_BYTES = 32 * 2**20
"""Largest tensor of a tile that modules score on the CPU."""
EXACT_TILE_BYTES = 8 * 2**20
"""Temporaries of a tile that the exact engine scores on the CPU; they should stay near its cache."""
DEVICE_TILE_BYTES = 512 * 2**20
"""Either on an accelerator, where launching a kernel costs more than running it on a small tile."""


Asked = TypeVar("Asked", bound=Rows)
"""Texts, or what a method made of them."""
Made = TypeVar("Made")
"""What is computed of some videos."""


@dataclass(frozen=True)
class Tile:
    """Scores of a block of texts against a block of videos."""

    texts: slice
    videos: slice
    scores: Tensor
    """`(len(texts), len(videos))`."""


def default_tile_bytes(device: torch.device, exact: bool) -> int:
    """The size of a tile on a device."""
    if device.type != "cpu":
        return DEVICE_TILE_BYTES
    return EXACT_TILE_BYTES if exact else MODULE_TILE_BYTES


def shape_for_modules(pairs: int, texts: int, videos: int) -> tuple[int, int]:
    """Texts and videos of a tile of at most `pairs` pairs, wide in videos before deep in texts."""
    # all videos of a text side by side: the modules read a video's features once per tile
    width = max(1, min(videos, pairs))
    return max(1, min(texts, pairs // width)), width


def shape_for_algebra(pairs: int, texts: int, videos: int, texts_per_video: int) -> tuple[int, int]:
    """Texts and videos of a tile of at most `pairs` pairs, in that ratio where it can be."""
    # n v <= pairs and n = r v give n = sqrt(r pairs)
    depth = max(1, min(texts, isqrt(texts_per_video * pairs), pairs))
    return depth, max(1, min(videos, pairs // depth))


def blocks(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover `range(total)`."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def with_oom_retry(
    score: Callable[[Any, Any, NoiseSource], Tensor], texts: Asked, videos: Rows, noise: NoiseSource
) -> Tensor:
    """`score(texts, videos, noise)` `(n, v)`, or by halves of the longer side where memory runs out.

    Raises `BenchError` where there is no memory for a single pair.
    """
    try:
        return score(texts, videos, noise)
    except torch.OutOfMemoryError as error:
        if len(texts) == len(videos) == 1:
            raise BenchError(
                "out of GPU memory even for a single text-video pair; free memory or run on the CPU "
                "(CUDA_VISIBLE_DEVICES=)"
            ) from error
    # Outside the handler, whose traceback would keep the failed attempt's tensors alive.
    if len(videos) >= len(texts):
        # the longer side, so that a tile stays near a square
        halves = [with_oom_retry(score, texts, videos[part], noise) for part in halved(len(videos))]
        return torch.cat(halves, dim=1)
    return torch.cat([with_oom_retry(score, texts[part], videos, noise) for part in halved(len(texts))])


def videos_with_oom_retry(compute: Callable[[slice], Made], part: slice) -> Iterator[tuple[slice, Made]]:
    """`compute(part)` of some videos, or of halves of them where memory runs out.

    Raises `BenchError` where there is no memory for a single video.
    """
    try:
        made = compute(part)
    except torch.OutOfMemoryError as error:
        if part.stop - part.start == 1:
            raise BenchError(
                f"out of GPU memory even for video {part.start} alone; free memory or run on the CPU "
                "(CUDA_VISIBLE_DEVICES=)"
            ) from error
    else:
        yield part, made
        return
    for half in halved(part.stop - part.start):
        yield from videos_with_oom_retry(compute, slice(part.start + half.start, part.start + half.stop))


def halved(count: int) -> tuple[slice, slice]:
    """Two halves of `range(count)`."""
    return slice(0, count // 2), slice(count // 2, count)
