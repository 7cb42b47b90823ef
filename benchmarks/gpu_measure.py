"""Measuring on a GPU: seconds of a call, its counted operations, and what the matrix units reach."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

WARM_UP, ROUNDS = 3, 10


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    part: str
    """What was measured."""
    result: str
    """The figure with its unit, or why there is none."""
    remark: str = ""
    """Under which conditions."""
    failed: bool = False
    """Whether a check did not hold."""


def seconds_per_call(work: Callable[[], object]) -> float:
    """Median seconds of a call on the device, by CUDA events."""
    for _ in range(WARM_UP):
        work()
    times: list[float] = []
    for _ in range(ROUNDS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1000)
    return statistics.median(times)


def counted_flops(work: Callable[[], object]) -> int:
    """Floating point operations of a call, counted by torch (matrix products, convolutions and attention)."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def gemm_rate(dtype: torch.dtype, size: int = 8192) -> float:
    """Operations per second of a square matrix product: the ceiling of everything else."""
    left, right = (torch.randn(size, size, device="cuda", dtype=dtype) for _ in range(2))
    return 2 * size**3 / seconds_per_call(lambda: left @ right)


def peak_gigabytes() -> float:
    """Most memory that torch has held on the device since the last reset."""
    return torch.cuda.max_memory_allocated() / 1e9
