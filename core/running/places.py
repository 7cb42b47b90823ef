"""Where cells run at a time: a GPU each, or a core."""

import os
from collections.abc import Sequence

import torch

from core.workers import default_workers


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return [str(number) for number in range(count)] if named is None else named.split(",")[:count]


def default_slots(cells: int) -> int:
    """Cells at a time where the user names no number: one per GPU, without GPUs one per core."""
    return min(len(visible_gpus()), cells) or default_workers(cells)


def slots(workers: int, gpus: Sequence[str]) -> list[str | None]:
    """The GPU of each of `workers` places, dealt out in turn; None for all where there is no GPU."""
    return [gpus[place % len(gpus)] if gpus else None for place in range(workers)]
