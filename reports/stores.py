"""The clips of a run, opened: the store that it read, or one in the cache with the same content."""

from glob import escape

from core.errors import BenchError
from core.paths import cache_root
from core.running.cells import store_folder
from core.store.manifest import MANIFEST
from core.store.store import Store
from reports.collect import Run


def store_of(run: Run) -> Store:
    """The store that a run read, or a finished one of its data set that decoded to the same.

    A store's name changes with the times of the files, which data that were made or copied again do not
    keep; its content does not. Raises `BenchError` with what would bring it where there is none.
    """
    name, dataset = run.manifest.store, run.spec.dataset
    named, wanted = store_folder(name), run.manifest.fingerprints.get("store")
    if (named / MANIFEST).is_file():
        return Store.open(named)
    for folder in sorted(cache_root().glob(f"stores/{escape(dataset)}-*")):
        try:
            store = Store.open(folder)
        except BenchError:  # half made, damaged or of another version: no store
            continue
        if store.fingerprint == wanted:
            return store
    raise BenchError(f"{named} is no finished store; run `bench data prepare {dataset}`")
