"""The data sets: a name in, a `Dataset` out."""

from collections.abc import Mapping

from core.datasets.avworld.reader import world_entries
from core.datasets.base import Dataset, DatasetEntry
from core.errors import unknown_name
from core.progress import Progress

ENTRIES: Mapping[str, DatasetEntry] = {entry.name: entry for entry in world_entries()}
"""Every data set by name."""


def find_dataset(name: str) -> DatasetEntry:
    """The data set of that name; raises `BenchError` with the nearest right name."""
    if name not in ENTRIES:
        raise unknown_name("dataset", name, ENTRIES)
    return ENTRIES[name]


def load_dataset(name: str, progress: Progress, *, workers: int) -> Dataset:
    """The data set `name`; a generated one is made first where it does not lie in the cache.

    Raises `BenchError` for an unknown name, a data set that cannot be read or a cache that cannot be
    written.
    """
    return find_dataset(name).load(progress, workers)
