"""What a timing study leaves behind: one record per method, perturbation, implementation and gallery.

Written as JSON; tables, picture and text are made from it.
"""

from typing import Literal

from core.spec import Frozen

Implementation = Literal["as released", "tiled modules", "exact"]
"""`as released`: the authors' procedure with its loops. `tiled modules`: the method's modules on tiles, no
Python per pair. `exact`: the same scores by algebra on a basis per video."""

IMPLEMENTATIONS: tuple[Implementation, ...] = ("as released", "tiled modules", "exact")


class MedianSeconds(Frozen):
    """Medians over the repeats, in seconds."""

    busy: float
    """Process CPU time of all threads, or time on the GPU between events."""
    wall: float
    """Elapsed time."""


class Latency(Frozen):
    """Elapsed milliseconds of a query alone, against a finished index."""

    queries: int
    """How many were timed."""
    p50: float | None
    p95: float | None
    """None for fewer than 20 queries."""
    p99: float | None
    """None for fewer than 100 queries."""


class Measurement(Frozen):
    """One row of a study."""

    method: str
    perturbation: str
    """`none`, `stp-fresh`, `stp-per-text` or `dasp`."""
    implementation: Implementation
    texts: int
    videos: int
    obstacle: str = ""
    """Why this implementation was not timed; then every figure below is missing."""
    sampled_texts: int | None = None
    """Texts that were scored; `queries` is scaled up by their number."""
    sampled_videos: int | None = None
    """Videos, and as many texts, that the released procedure ran on; see `extrapolated`."""
    index: MedianSeconds | None = None
    """To make all videos ready for any text."""
    queries: MedianSeconds | None = None
    """To score 1,000 texts against all videos, the index being there."""
    latency: Latency | None = None
    """None where a single query cannot be answered."""
    peak_bytes: int | None = None
    """Most memory that scoring the sampled texts took above features and index, scores included."""
    gflop: float | None = None
    """GFLOP of `queries`, counted by hand: two per multiply-add, see `core.timing.cost`."""
    profiled_gflop: float | None = None
    """The same as torch's profiler counts it: matrix products only."""
    gflop_per_second: float | None = None
    """`gflop` by busy second."""


class Study(Frozen):
    """The measurements of one process on one machine."""

    device: str
    """Name of the GPU, or the processor."""
    clock: Literal["CPU", "GPU"]
    """What `busy` is the time of."""
    threads: int
    """Of torch."""
    torch: str
    """Version."""
    gemm_gflop_per_second: float
    """Measured in the same process: a large float32 matrix product, by busy second."""
    frames: int
    """F."""
    width: int
    """D."""
    trials: int
    """K of STP."""
    repeats: int
    """Measurements that each median is taken of."""
    rows: tuple[Measurement, ...]
