"""What scoring needs beside its index and its output does not grow with either axis."""

import gc

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from core.batch import Texts, Videos
from core.method import Dimensions
from core.scoring.noise import KeyedNoise, NoiseMode
from core.scoring.scoring import Condition, build_index, score_tiles
from methods.composed import ComposedMethod
from methods.gaid import Gaid
from methods.tmass import TMass
from methods.xpool import XPool

pytestmark = pytest.mark.slow

WIDTH, FRAMES = 512, 12
LIMIT = 64 * 2**20


def peak_bytes(
    texts: int, videos: int, cls: type[ComposedMethod], mode: NoiseMode, condition: Condition
) -> int:
    """Largest sum of tensors that live at one time while all tiles are scored, from torch's own record."""
    method = cls(cls.Config(), Dimensions(WIDTH, FRAMES, WIDTH))
    corpus = Videos(
        torch.randn(videos, FRAMES, WIDTH),
        torch.ones(videos, FRAMES, dtype=torch.bool),
        torch.arange(videos),
        torch.randn(videos, FRAMES, WIDTH),
        torch.full((videos,), FRAMES),
        torch.ones(videos, dtype=torch.bool),
    )
    index, pairing = build_index(method, corpus), torch.arange(texts) % videos
    asked = Texts(torch.randn(texts, WIDTH), torch.arange(texts))
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as record:
        noise = KeyedNoise(0, mode)
        for tile in score_tiles(method, asked, index, noise, condition=condition, pairing=pairing):
            del tile
    live = peak = 0
    for event in record.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return peak


@pytest.mark.parametrize(
    ("cls", "mode", "condition", "texts", "videos"),
    [
        (XPool, "per-text", "leak-free", 700, 100),
        (TMass, "per-text", "leak-free", 700, 100),
        (XPool, "per-text", "leak-free", 30_000, 3),
        (TMass, "fresh", "leak-free", 100, 30),
        (Gaid, "per-text", "leak-free", 700, 100),
        (Gaid, "per-text", "released", 700, 100),
        (TMass, "fresh", "released", 100, 30),
    ],
)
def test_scoring_stays_within_its_memory(
    cls: type[ComposedMethod], mode: NoiseMode, condition: Condition, texts: int, videos: int
) -> None:
    peak = peak_bytes(texts, videos, cls, mode, condition)
    assert 2**20 < peak <= LIMIT
