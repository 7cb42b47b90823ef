"""The released procedure on a small gallery, and what that says about a large one."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from core.method import Method
from core.running.timings import Measurement
from core.scoring.scoring import exact_arithmetic
from core.timing import NO_TIME, Seconds, Stopwatch, median_seconds
from methods.parts.composition import Composition
from methods.released.procedure import GROWTH, as_released
from methods.timing.engines import BATCH, as_clock
from methods.timing.works import Setting, Work, random_texts, random_videos


def released_obstacle(work: Work, method: Method) -> str:
    """Why there is no released procedure to time for a work, "" where there is one."""
    if not isinstance(method, Composition) or not method.pooling.text_conditioned:
        return "its authors' scoring has no loop over pairs"
    if work.perturbation == "stp-per-text":
        return "its authors draw for every pair: see stp-fresh"
    return ""


def extrapolated(laps: Mapping[str, Seconds], measured: int, wanted: int) -> Seconds:
    """What `wanted` texts against `wanted` videos would take, from laps at `measured` of both.

    Every stage grows with its own power (`GROWTH`). Rather too little than too much: what fits the caches at
    the measured size does not at the wanted one.
    """
    total = NO_TIME
    for stage, seconds in laps.items():
        total += seconds * (wanted / measured) ** GROWTH[stage]
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
        self.texts = random_texts(size, setting, device).embeds
        with exact_arithmetic(method):
            self.index = method.index(random_videos(size, setting, device))
        self.laps: list[Mapping[str, Seconds]] = []
        """Seconds per stage, of every run."""

    def query(self) -> None:
        """Runs the procedure once and keeps its laps."""
        watch = Stopwatch(self.texts.device)
        assert isinstance(self.method, Composition)

        def draw(video: int, trial: int) -> Tensor:
            return torch.rand_like(self.texts)

        with exact_arithmetic(self.method):
            as_released(self.method, self.texts, self.index, range(self.size), draw, watch)
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
        whole = median_seconds([extrapolated(laps, self.size, videos) for laps in self.laps])
        return row(sampled_videos=self.size, queries=as_clock(whole * (BATCH / videos)))
