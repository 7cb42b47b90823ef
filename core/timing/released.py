"""The released procedure on a small gallery, and what that says about a large one."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from core.method import Method
from core.plugin_errors import calling
from core.scoring.scoring import exact_arithmetic
from core.timing.clock import NO_TIME, Seconds, Stopwatch, median_seconds
from core.timing.engines import TIMED_QUERIES, as_clock
from core.timing.records import Measurement
from core.timing.works import Setting, Work, random_texts, random_videos, timed_of


def released_obstacle(work: Work, method: Method) -> str:
    """Why there is no released procedure to time for a work, "" where there is one."""
    obstacle = timed_of(method).obstacle
    if not obstacle and work.perturbation.endswith("-per-text"):
        return f"its authors draw for every pair: see {work.perturbation.removesuffix('per-text')}fresh"
    return obstacle


def extrapolated(
    laps: Mapping[str, Seconds], growth: Mapping[str, int], measured: int, wanted: int
) -> Seconds:
    """What `wanted` texts against `wanted` videos would take, from laps at `measured` of both.

    Every stage grows with its own power. Rather too little than too much: what fits the caches at the
    measured size does not at the wanted one.
    """
    total = NO_TIME
    for stage, seconds in laps.items():
        total += seconds * (wanted / measured) ** growth[stage]
    return total


class ReleasedSide:
    """The released procedure of a work on as many texts as videos, one caption each.

    It scores whole galleries only, so a single query has no time, and 1,000 queries get their share of a
    gallery's.
    """

    def __init__(self, work: Work, method: Method, setting: Setting, size: int, device: torch.device) -> None:
        self.work, self.method, self.size = work, method, size
        self.obstacle = released_obstacle(work, method)
        """Why there is nothing to time; empty where there is."""
        self.timed = timed_of(method)
        self.texts = random_texts(size, setting, device).embeds
        with exact_arithmetic(method), calling(method, "index"):
            self.index = method.index(random_videos(size, setting, device))
        self.laps: list[Mapping[str, Seconds]] = []
        """Seconds per stage, of every run."""

    def query(self) -> None:
        """Runs the procedure once and keeps its laps."""
        watch = Stopwatch(self.texts.device)

        def draw(video: int, trial: int) -> Tensor:
            return torch.rand_like(self.texts)

        with exact_arithmetic(self.method), calling(self.method, "timed.loops"):
            self.timed.loops(self.texts, self.index, range(self.size), draw, watch)
        self.laps.append(watch.laps)

    def measurement(self, texts: int, videos: int) -> Measurement:
        """The row of this side for a gallery of V videos."""
        row = partial(
            Measurement,
            method=self.work.method,
            perturbation=self.work.perturbation,
            implementation="as released",
            texts=texts,
            videos=videos,
        )
        if self.obstacle:
            return row(obstacle=self.obstacle)
        growth = self.timed.growth
        whole = median_seconds([extrapolated(laps, growth, self.size, videos) for laps in self.laps])
        return row(sampled_videos=self.size, queries=as_clock(whole * (TIMED_QUERIES / videos)))
