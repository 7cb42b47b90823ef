"""How much arithmetic something is, and how fast this machine can be at it."""

from collections.abc import Callable
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from core.timing.clock import timed

GEMM_SIDE = 2048
"""Side of the square matrices of the ceiling; far past the caches, so that larger ones are no faster."""


def gemm_rate(device: torch.device, side: int = GEMM_SIDE, repeats: int = 5) -> float:
    """GFLOP per busy second of a float32 product of square matrices: what scoring can reach at best.

    Busy seconds add up over the threads of a CPU, so that there the rate is one core's.
    """
    left, right = (torch.randn(side, side, device=device) for _ in range(2))
    torch.mm(left, right)  # warm-up
    seconds = median(timed(lambda: torch.mm(left, right), device).busy for _ in range(repeats))
    return 2 * side**3 / seconds / 1e9


def profiled_gflop(call: Callable[[], object]) -> float:
    """GFLOP of the matrix products in a call, as torch's own counter sees them.

    The counter knows products, convolutions and attention on a GPU; it counts nothing for element-wise
    work, sums and fused attention on a CPU.
    """
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops()) / 1e9
