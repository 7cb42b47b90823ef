"""The data sets: a name in, a `Dataset` out."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from core.dataset import Dataset, DatasetEntry
from core.datasets.folder import FOLDER
from core.datasets.own import own_dataset, own_names
from core.datasets.real import RealDataset
from core.errors import unknown_name
from core.plugins import DATASETS, Registered, in_their_case, register
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
def installed_datasets() -> Mapping[str, RealDataset]:
    """The registered ones that a user has on disk, by name."""

    def real(candidate: object, offered: bool) -> Mapping[str, RealDataset]:
        return {candidate.name: candidate} if isinstance(candidate, RealDataset) else {}

    return register(DATASETS, real)


def real_datasets() -> Mapping[str, RealDataset]:
    """All that a user has on disk, by name: the registered ones and those of the user's own."""
    return {**installed_datasets(), **{name: own_dataset(name) for name in own_names(registered_datasets())}}


def all_datasets() -> dict[str, DatasetEntry]:
    """Every data set by name: the registered ones, then those of the user's own."""
    registered = registered_datasets()
    return {**registered, **{name: own_dataset(name).entry for name in own_names(registered)}}


def find_dataset(name: str) -> DatasetEntry:
    """The data set of that name; raises `BenchError` with the nearest right names."""
    registered = registered_datasets()
    wanted = in_their_case(name, (*registered, *registered.broken))
    if wanted in registered or wanted in registered.broken:
        return registered.find(wanted)
    own = own_names(registered)
    wanted = in_their_case(name, tuple(own))
    if wanted not in own:
        raise unknown_name(DATASETS.noun, name, [*registered, *own], DATASETS.where)
    return own_dataset(wanted).entry


def module_of(name: str) -> str:
    """The module that reads a data set; raises as `find_dataset`."""
    registered = registered_datasets()
    return registered.modules.get(find_dataset(name).name) or registered.modules[FOLDER.name]


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


def split_names(name: str, options: Mapping[str, Any]) -> Collection[str] | None:
    """The splits of a data set under some of its options; None where that is not known before it is made."""
    entry = find_dataset(name)
    return entry.splits(entry.options.model_validate(options)) if entry.splits else None
