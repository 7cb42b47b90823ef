"""The entries of the suite: which work is scored by which implementation, on how much of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import BenchError
from core.timing.works import Work

WORKS: Mapping[str, Work] = {
    "xpool": Work("xpool", "none"),
    "gaid": Work("gaid", "dasp"),
    "dasp": Work("tmass", "dasp"),
    "stp-per-text": Work("tmass", "stp-per-text"),
    "stp-fresh": Work("tmass", "stp-fresh"),
}
"""Name in `extra_info` -> what it is: X-Pool's pooling plain; behind GAID's gate per pair, with DASP; without
a gate, with DASP, or with STP under either law of noise."""

Implementation = Literal["tiled", "exact"]

SAMPLED_PAIRS: Mapping[tuple[str, Implementation], int] = {
    ("xpool", "tiled"): 100_000,
    ("gaid", "tiled"): 16_000,
    ("dasp", "tiled"): 100_000,
    ("stp-per-text", "tiled"): 100_000,
    ("stp-fresh", "tiled"): 32_000,
    ("stp-fresh", "exact"): 64_000,
}
"""Most pairs of a round, a second or two of work on one core; everything else is scored whole."""


@dataclass(frozen=True)
class Case:
    """One entry."""

    work: str
    """Key of `WORKS`."""
    implementation: Implementation
    texts: int
    """N."""
    videos: int
    """V."""
    index_included: bool
    """Whether the index is built in the time, too."""

    @property
    def sampled_texts(self) -> int:
        """Texts that are scored; every text costs the same, and the time is scaled up to all of them."""
        limit = SAMPLED_PAIRS.get((self.work, self.implementation), self.texts * self.videos)
        return max(1, min(self.texts, limit // self.videos))

    @property
    def group(self) -> str:
        """What its time may be compared with: the same work on the same sizes."""
        return f"{self.work} {self.texts}x{self.videos}"

    def __str__(self) -> str:
        parts = (self.work, f"{self.texts}x{self.videos}", self.implementation)
        return "-".join((*parts, "with-index" if self.index_included else "score-only"))


def cases(sizes: Sequence[tuple[int, int]]) -> Iterator[Case]:
    """Every work at every size (N, V), both implementations in turn, with and without the index."""
    for texts, videos in sizes:
        for work in WORKS:
            for index_included in (False, True):
                for implementation in ("tiled", "exact"):
                    yield Case(work, implementation, texts, videos, index_included)  # type: ignore[arg-type]


def parse_sizes(text: str) -> list[tuple[int, int]]:
    """`1000x1000,5000x1000` as pairs (texts, videos); raises `BenchError` for anything else."""
    sizes = []
    for item in text.split(","):
        numbers = item.split("x")
        if len(numbers) != 2 or not all(n.strip().isdigit() and int(n) > 0 for n in numbers):
            raise BenchError(f"--sizes takes TEXTSxVIDEOS, not '{item}', e.g. --sizes 1000x1000,5000x1000")
        sizes.append((int(numbers[0]), int(numbers[1])))
    return sizes
