"""The data sets: a name in, a `Dataset` out."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from core.dataset import Dataset, DatasetEntry
from core.datasets.real import RealDataset
from core.plugins import DATASETS, Registered, register
from core.progress import Progress


def datasets_of(candidate: object, offered: bool) -> Mapping[str, DatasetEntry]:
    """What an object registers: itself, where it is the entry of a data set."""
    entry = candidate.entry if isinstance(candidate, RealDataset) else candidate
    return {entry.name: entry} if isinstance(entry, DatasetEntry) else {}


@cache
def registered_datasets() -> Registered[DatasetEntry]:
    """Every data set by name: the modules of this folder, then installed entry points."""
    return register(DATASETS, datasets_of)


@cache
def real_datasets() -> Mapping[str, RealDataset]:
    """Those that a user has on disk, by name."""

    def real(candidate: object, offered: bool) -> Mapping[str, RealDataset]:
        return {candidate.name: candidate} if isinstance(candidate, RealDataset) else {}

    return register(DATASETS, real)


def find_dataset(name: str) -> DatasetEntry:
    """The data set of that name; raises `BenchError` with the nearest right names."""
    return registered_datasets().find(name)


def load_dataset(
    name: str, progress: Progress, *, workers: int, options: Mapping[str, Any] | None = None
) -> Dataset:
    """The data set `name` under some of its options; a generated one is made first where it is not there.

    Raises `BenchError` for an unknown name, a data set that cannot be read or a cache that cannot be
    written.
    """
    entry = find_dataset(name)
    return entry.load(progress, workers, entry.options.model_validate(options or {}))


def dataset_fingerprint(name: str, options: Mapping[str, Any]) -> str | None:
    """The fingerprint of a data set under some of its options; None where nobody has said where it lies."""
    entry = find_dataset(name)
    return entry.fingerprint(entry.options.model_validate(options))
