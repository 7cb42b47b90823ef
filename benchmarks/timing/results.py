"""A file that the suite has written with `--benchmark-json`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import BenchError


@dataclass(frozen=True, order=True)
class Key:
    """What an entry is the time of."""

    work: str
    texts: int
    videos: int
    implementation: str
    """`tiled` or `exact`."""
    index_included: bool

    def __str__(self) -> str:
        index = "with index" if self.index_included else "score only"
        return f"{self.work} {self.texts:,} x {self.videos:,}, {self.implementation}, {index}"


@dataclass(frozen=True)
class Entry:
    """One entry."""

    key: Key
    seconds: float
    """Median over the rounds, scaled up where a sample of the texts was scored."""
    peak_bytes: int | None
    """Most memory that scoring took above features and index; None where the system does not say."""
    output_bytes: int
    """Of that, the scores."""


def read_entries(path: Path) -> dict[Key, Entry]:
    """The entries of a file; raises `BenchError` where it is none of this suite's."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = [entry_of(benchmark) for benchmark in content["benchmarks"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(
            f"{path} is no result of this suite ({type(error).__name__}: {error}); write one with "
            "pytest benchmarks/timing --benchmark-only --benchmark-json=FILE"
        ) from error
    if not entries:
        raise BenchError(f"{path} holds no entry; run pytest benchmarks/timing again")
    return {entry.key: entry for entry in entries}


def entry_of(benchmark: dict) -> Entry:  # type: ignore[type-arg]
    """One element of the file's `benchmarks`."""
    info = benchmark["extra_info"]
    key = Key(info["work"], info["texts"], info["videos"], info["implementation"], info["index_included"])
    return Entry(key, benchmark["stats"]["median"], info["peak_bytes"], info["output_bytes"])


def sizes_of(entries: Sequence[Key]) -> list[tuple[int, int]]:
    """Texts and videos of the keys, each pair once, small ones first."""
    return sorted({(key.texts, key.videos) for key in entries})
