"""The data sets: a name in, a `Dataset` out."""

from collections.abc import Mapping
from typing import Any

from core.dataset import Dataset, DatasetEntry
from core.datasets.avworld.reader import world_entries
from core.datasets.didemo import DIDEMO
from core.datasets.folder import FOLDER
from core.datasets.lsmdc import LSMDC
from core.datasets.msrvtt import MSRVTT
from core.datasets.real import RealDataset
from core.datasets.vatex import VATEX
from core.errors import unknown_name
from core.progress import Progress

REAL: Mapping[str, RealDataset] = {data.name: data for data in (MSRVTT, DIDEMO, LSMDC, VATEX, FOLDER)}
"""The data sets that a user has on disk, by name."""

ENTRIES: Mapping[str, DatasetEntry] = {
    entry.name: entry for entry in (*world_entries(), *(data.entry() for data in REAL.values()))
}
"""Every data set by name."""


def find_dataset(name: str) -> DatasetEntry:
    """The data set of that name; raises `BenchError` with the nearest right name."""
    if name not in ENTRIES:
        raise unknown_name("dataset", name, ENTRIES)
    return ENTRIES[name]


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
