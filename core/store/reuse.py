"""Clips that another store of the same settings has already: taken over, not decoded again.

A data set whose files were replaced in part is another set of clips, and gets a store of its own. Whole
shards without a changed clip are links to the other store's files and take no space; of the others the clips
are copied.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.data_options import Resize
from core.errors import BenchError
from core.progress import Progress
from core.store.columns import shard_files
from core.store.decoding import GIVEN_UP
from core.store.keeping import Kept
from core.store.manifest import MANIFEST, StoreSettings
from core.store.shards import Shard, write_large, write_table
from core.store.storage import Store

PLACES = ("pixels_at", "sound_at")
"""Columns that say where a clip begins in its shard's files."""


def take_over(
    shards: Sequence[Shard],
    settings: StoreSettings,
    others: Sequence[Path],
    resize: Resize,
    folder: Path,
    keep_undecodable: bool,
    progress: Progress,
) -> list[Shard]:
    """The shards that are left to write, with what is known of their clips; whole ones are linked.

    Clips over which a decoder was given up are tried again, and refused ones without a picture, too.
    """
    known: dict[str, tuple[Store, int]] = {}
    for other in others:
        if other != folder and (store := _finished(other, settings, resize)):
            for row, key in enumerate(store.keys):
                if _reusable(store, row, keep_undecodable):
                    known.setdefault(key, (store, row))
    left, taken = [], 0
    for shard in shards:
        found = {key: known[key] for key in shard.keys if key in known}
        taken += len(found)
        if len(found) < len(shard.keys) or not _linked(shard, found, resize, folder):
            left.append(replace(shard, known={key: partial(kept_of, *place) for key, place in found.items()}))
    if taken:
        total = sum(len(shard.keys) for shard in shards)
        progress.say(f"{taken:,} of {total:,} clips are unchanged and taken from an earlier store")
    return left


def kept_of(store: Store, row: int) -> Kept:
    """A clip of another store as it is kept."""
    columns = store.table.slice(row, 1).to_pylist()[0]
    large = None
    if columns["large"] and store.large is not None:
        large = store.large.stored(store.ids[row])
    columns = {name: value for name, value in columns.items() if name not in PLACES}
    return Kept(columns, store.kept_frames(row), large, store.samples(row))


def _finished(folder: Path, settings: StoreSettings, resize: Resize) -> Store | None:
    """The finished store of a folder, where it has these settings."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        store = Store.open(folder, resize)
    except BenchError:  # it is damaged, or of another version: its clips are decoded again
        return None
    return store if store.settings == settings else None


def _reusable(store: Store, row: int, keep_undecodable: bool) -> bool:
    if any(reason in store.reason[row] for reason in GIVEN_UP):
        return False
    if bool(store.undecodable[row]):
        return keep_undecodable
    return row not in store.large_rows or store.large is not None


def _linked(shard: Shard, found: dict[str, tuple[Store, int]], resize: Resize, folder: Path) -> bool:
    """Links the files of another store's shard, where it has these very clips; whether it could."""
    store, first = found[shard.keys[0]]
    rows = store.rows(first // store.manifest.shard)
    if [store.keys[row] for row in rows] != list(shard.keys):
        return False
    store.verify(first // store.manifest.shard)
    try:
        names = zip(shard_files(first // store.manifest.shard), shard_files(shard.number), strict=True)
        for theirs, own in names:
            (folder / own).unlink(missing_ok=True)
            os.link(store.folder / theirs, folder / own)
    except OSError:  # a file system without links
        return False
    ids = [store.ids[row] for row in rows if row in store.large_rows]
    large = {id: store.large.stored(id) for id in ids} if store.large else {}
    write_large(shard.number, large, resize, folder)
    write_table(shard.number, store.table.slice(rows.start, len(rows)).to_pylist(), folder)
    return True
