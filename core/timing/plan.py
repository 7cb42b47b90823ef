"""What a study measures."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from core.errors import BenchError, unknown_name
from core.timing.works import Setting, Work


@dataclass(frozen=True)
class Plan:
    """What a study measures."""

    works: Sequence[Work]
    videos: Sequence[int]
    """Sizes of the gallery, V."""
    texts: int
    """N."""
    setting: Setting = field(default_factory=Setting)
    repeats: int = 3
    """Measurements that a median is taken of."""
    budget: float = 2.0
    """Busy seconds of one measurement, past which it scores a sample of the texts only."""
    released_videos: int = 64
    """Videos, and texts, that the released procedure runs on at most; larger galleries are extrapolated."""
    threads: int = 1
    """Of torch, on a CPU."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        if not self.works:
            raise BenchError("nothing to time; name methods with --methods, e.g. --methods xpool,gaid")
        if not self.videos or min(self.videos) < 1:
            raise BenchError("--videos takes sizes of at least 1, e.g. --videos 1000,5000")


def device_of(name: str | None) -> torch.device:
    """The device of that name, `cpu` or `cuda`; without one a GPU where there is one.

    Raises `BenchError` for another name or a GPU that is not there.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise unknown_name("device", name, ("cpu", "cuda"))
    if name == "cuda" and not torch.cuda.is_available():
        raise BenchError("--device cuda: torch finds no GPU here; use --device cpu")
    return torch.device(name)
