"""Scoring of all pairs by tiled modules and by the exact engine, in process CPU time."""

import time
from statistics import median

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.timing.cases import WORKS, Case
from benchmarks.timing.clock import ScalingClock
from core.scoring.scoring import build_index, obstacle_to_algebra, score_matrix
from core.timing.memory import peak_growth
from core.timing.works import Setting, random_texts, random_videos

ROUNDS = 5
CPU = torch.device("cpu")
BUSY = ScalingClock(time.process_time)
"""What the entries are measured with: other processes on the machine hardly disturb it."""


@pytest.mark.timeout(0)
@pytest.mark.benchmark(timer=BUSY)
def test_scoring(benchmark: BenchmarkFixture, case: Case) -> None:
    """Times one case; a sample of the texts counts for all of them."""
    work, setting = WORKS[case.work], Setting()
    method, noise = work.build(setting), work.noise_source()
    obstacle = obstacle_to_algebra(method)
    if case.implementation == "exact" and obstacle:
        pytest.skip(f"no algebra for {case.work}: {obstacle}")
    videos = random_videos(case.videos, setting, CPU)
    texts = random_texts(case.texts, setting, CPU)[: case.sampled_texts]
    scale = case.texts / len(texts)
    engine = "modules" if case.implementation == "tiled" else "exact"
    ready = build_index(method, videos, engine=engine)
    wall, walls = ScalingClock(time.perf_counter), []

    def score() -> None:
        start = wall()
        index = build_index(method, videos, engine=engine) if case.index_included else ready
        with BUSY.scaled(scale), wall.scaled(scale):
            score_matrix(method, texts, index, noise=noise)
        walls.append(wall() - start)

    benchmark.group = case.group
    benchmark.extra_info |= {
        "work": case.work,
        "implementation": case.implementation,
        "texts": case.texts,
        "videos": case.videos,
        "index_included": case.index_included,
        "threads": torch.get_num_threads(),
        "output_bytes": 4 * len(texts) * case.videos,
        "peak_bytes": peak_growth(lambda: score_matrix(method, texts, ready, noise=noise), CPU),
    }
    if len(texts) < case.texts:
        benchmark.extra_info |= {"sampled_texts": len(texts), "scaled_by": scale}
    benchmark.pedantic(score, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info["wall_seconds"] = median(walls[-ROUNDS:])
