"""The stopwatch: warm-up, synchronisation, medians of alternating sides, percentiles.

Two clocks run side by side. `busy` is what the computation occupies: process CPU time over all threads on a
CPU, the time between two CUDA events on a GPU; a machine that others use as well hardly disturbs it. `wall`
is what somebody who waits sees.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import torch


@dataclass(frozen=True)
class Seconds:
    """How long something took."""

    busy: float
    """Process CPU time of all threads, or time on the GPU between events; seconds."""
    wall: float
    """Elapsed time; seconds."""

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.busy + other.busy, self.wall + other.wall)

    def __mul__(self, factor: float) -> "Seconds":
        return Seconds(self.busy * factor, self.wall * factor)


NO_TIME = Seconds(0.0, 0.0)


@dataclass
class Stopwatch:
    """Laps by name; laps of one name add up. Waits for the GPU at both ends of a lap."""

    device: torch.device
    laps: dict[str, Seconds] = field(default_factory=dict)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Times the block."""
        if self.device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize(self.device)
            wall = time.perf_counter()
            start.record()
            yield
            end.record()
            torch.cuda.synchronize(self.device)
            seconds = Seconds(start.elapsed_time(end) / 1e3, time.perf_counter() - wall)
        else:
            wall, busy = time.perf_counter(), time.process_time()
            yield
            seconds = Seconds(time.process_time() - busy, time.perf_counter() - wall)
        self.laps[name] = self.laps.get(name, NO_TIME) + seconds


def timed(call: Callable[[], object], device: torch.device) -> Seconds:
    """How long one call takes."""
    watch = Stopwatch(device)
    with watch.lap("call"):
        call()
    return watch.laps["call"]


def alternated(
    calls: Mapping[str, Callable[[], object]],
    repeats: int,
    device: torch.device,
    patience: float = float("inf"),
) -> dict[str, list[Seconds]]:
    """Times every call `repeats` times, in turn, so that a disturbance of the machine meets all of them.

    A call that took more than `patience` busy seconds is not repeated.
    """
    times: dict[str, list[Seconds]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            if all(seconds.busy <= patience for seconds in times[name]):
                times[name].append(timed(call, device))
    return times


def median_seconds(times: Sequence[Seconds]) -> Seconds:
    """The median of each clock."""
    return Seconds(median(t.busy for t in times), median(t.wall for t in times))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` of them lie, in (0, 1), interpolated linearly.

    None where fewer than one value is expected above it: 20 are needed for .95, 100 for .99.
    """
    if len(values) * (1 - share) < 1 - 1e-9:
        return None
    return float(np.quantile(np.asarray(values), share))


def affordable_sample(call: Callable[[int], object], most: int, budget: float, device: torch.device) -> int:
    """The largest of 4, 16, 64, ... and `most` items that `call(items)` handles within `budget` busy seconds.

    Tried from below, so that the search costs less than the budget; never under `min(4, most)`. An item is
    taken to cost at most what it did in the smaller sample, which it does where large batches pay.
    """
    items = min(4, most)
    while items < most:
        larger = min(4 * items, most)
        if timed(lambda size=items: call(size), device).busy * larger / items > budget:  # type: ignore[misc]
            return items
        items = larger
    return items
