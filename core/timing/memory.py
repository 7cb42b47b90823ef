"""The most memory that a call takes above what lay there before."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

import torch

from core.runs import peak_memory

REFERENCES = Path("/proc/self/clear_refs")
RESET_HIGH_WATER = "5"
"""Written to `clear_refs`, this sets the peak of the resident set back to its present size (man 5 proc)."""


def return_freed_blocks() -> None:
    """Gives the system back what the C library keeps of freed memory, where it is glibc.

    It keeps blocks of up to 32 MB, a tile's size; a call that took them again would seem to need nothing.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


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
    return_freed_blocks()
    REFERENCES.write_text(RESET_HIGH_WATER, encoding="ascii")
    before = peak_memory()
    call()
    return peak_memory() - before
