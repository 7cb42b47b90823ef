"""Scoring on a GPU at full size, every method, against the time that its counted products need."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from benchmarks.gpu_measure import Row, counted_flops, gemm_rate, peak_gigabytes

if TYPE_CHECKING:
    from core.batch import Texts, Videos
    from core.method import Method

SIZES = ((1_000, 1_000), (10_000, 1_000))
"""Texts and videos."""
FRAMES, WIDTH, STATES = 12, 512, 1500
"""ViT-B/32's joint width and Whisper-base's states."""


def random_texts(count: int) -> "Texts":
    """Captions as the text tower might encode them."""
    from core.batch import Texts

    return Texts(torch.randn(count, WIDTH, device="cuda"), torch.arange(count, device="cuda"))


def random_videos(count: int, sound: bool) -> "Videos":
    """Clips of 10 s with all their frames."""
    from core.batch import Videos

    keys = torch.arange(count, device="cuda")
    frames = torch.randn(count, FRAMES, WIDTH, device="cuda")
    mask = torch.ones(count, FRAMES, dtype=torch.bool, device="cuda")
    if not sound:
        return Videos(frames, mask, keys)
    states = torch.randn(count, STATES, WIDTH, device="cuda")
    return Videos(frames, mask, keys, states, torch.full_like(keys, 500), torch.ones_like(keys).bool())


def scoring_row(method: "Method", texts_count: int, videos_count: int, ceiling: float) -> Row:
    """Seconds of a method's index and scores, leak-free, in float32."""
    from core.scoring.noise import KeyedNoise
    from core.scoring.scoring import build_index, score_matrix

    texts, videos = random_texts(texts_count), random_videos(videos_count, method.needs.sound)
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    index = build_index(method, videos)
    torch.cuda.synchronize()
    built = time.perf_counter() - started
    noise = KeyedNoise(0, "per-text")
    # Counting is the warm-up too; the scores end on the CPU, so each call is complete when it returns.
    floor = counted_flops(lambda: score_matrix(method, texts, index, noise=noise)) / ceiling
    started = time.perf_counter()
    score_matrix(method, texts, index, noise=noise)
    seconds = time.perf_counter() - started
    return Row(
        f"{method.title}, {texts_count:,} x {videos_count:,}",
        f"{1000 * seconds:,.0f} ms, floor {1000 * floor:,.0f} ms",
        f"{index.engine}, index {1000 * built:,.0f} ms, peak {peak_gigabytes():.1f} GB",
    )


def scoring_rows() -> Iterator[Row]:
    """Every method at every size, random features, the method's weights as they begin."""
    from core.method import Dimensions
    from core.registry import registered_methods

    ceiling = gemm_rate(torch.float32)
    for _, cls in sorted(registered_methods().items()):
        method = cls(cls.Config(), Dimensions(WIDTH, FRAMES, WIDTH)).cuda().eval()
        for texts, videos in SIZES:
            yield scoring_row(method, texts, videos, ceiling)
