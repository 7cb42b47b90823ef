"""The most memory that a call takes above what lay there before."""

import gc
from collections.abc import Callable
from pathlib import Path

import torch

STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_HIGH_WATER = "5"
"""Written to `clear_refs`, this sets the peak of the resident set back to its present size (man 5 proc)."""


def resident(field: str) -> int:
    """A field of the process status in bytes: `VmRSS` now, `VmHWM` its peak."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def peak_growth(call: Callable[[], object], device: torch.device) -> int | None:
    """Bytes that the call takes at its peak above what was held before, its result included.

    On a GPU what torch's allocator hands out, on a CPU the resident set. None where the system keeps no
    peak that can be set back (anything but Linux).
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    if not REFERENCES.exists():
        call()
        return None
    REFERENCES.write_text(RESET_HIGH_WATER, encoding="ascii")
    before = resident("VmRSS")
    call()
    return max(0, resident("VmHWM") - before)
