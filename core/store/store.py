"""Decodes the clips of a data set once, in worker processes, into a store.

Each shard of clips is written whole, its table last; the manifest comes when all shards are there. A
killed preparation therefore goes on where it stopped, and a half-made store is never taken for a store.
A file that crashes or hangs its decoder costs a process, not the preparation: it counts as undecodable.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from core.checksums import checksum
from core.data_options import Resize
from core.dataset import Video
from core.errors import BenchError
from core.paths import require_space, require_writable, written_whole
from core.progress import Progress, bytes_in_words, seconds_in_words
from core.store.columns import shard_files
from core.store.decoding import CLIP_SECONDS, reason_of
from core.store.estimate import Estimate, estimate
from core.store.identity import clip_keys
from core.store.large import finish_large, finished_places, places_file
from core.store.manifest import (
    MANIFEST,
    SHARD_CLIPS,
    TABLE,
    StoreManifest,
    StoreSettings,
    shard_clips,
)
from core.store.reading import ClipReader, hear, see
from core.store.reuse import take_over
from core.store.shards import Shard, shard_table, write_large_again, write_shard
from core.store.storage import Store
from core.workers import Begin, LostItem, watched

__all__ = ["Store", "StoreSettings", "keys_digest", "prepare_store"]

PLAN = "plan.json"


def prepare_store(
    videos: Sequence[Video],
    fingerprint: str,
    settings: StoreSettings,
    folder: Path,
    *,
    workers: int,
    progress: Progress,
    keep_undecodable: bool = False,
    resize: Resize = "antialiased",
    keys: Sequence[str] = (),
    others: Sequence[Path] = (),
) -> Store:
    """The store of these videos in `folder`, decoded first where it is not finished.

    `keys` are the videos' `clip_keys`, where they are known already. Clips that a finished store in one of
    the folders `others` has under the same key and settings are taken from there.

    `resize` is how its pixels will be read; of large clips they are kept under it (see `core.store.large`),
    so another one decodes these again, and no others. `fingerprint` is the data set's. A clip without a
    picture that decodes is an error, or with `keep_undecodable` a row without a real frame (see
    `Store.undecodable`). Raises `BenchError` where the folder holds a store of other settings or videos, the
    disk is too full, or clips do not decode.
    """
    keys = keys or clip_keys(videos)
    clips = keys_digest(keys)
    if not (folder / MANIFEST).exists():  # a finished store may be read-only
        require_writable(folder)
        with FileLock(folder / "lock"):  # two commands may want the same store at the same time
            if not (folder / MANIFEST).exists():
                shard = shard_clips(len(videos), SHARD_CLIPS)
                plan = StoreManifest(
                    settings=settings, dataset=fingerprint, clips=clips, shard=shard, files={}
                )
                _prepare(videos, keys, plan, others, resize, folder, workers, progress, keep_undecodable)
    elif _leftovers(folder) and os.access(folder, os.W_OK):  # killed between its manifest and the end
        with suppress(Timeout), FileLock(folder / "lock", timeout=0):  # whoever has the lock is alive
            _remove_leftovers(folder)
    store = Store.open(folder, resize)
    store.require(settings, fingerprint, clips)
    if store.large_rows and store.large is None:
        require_writable(folder)
        with FileLock(folder / "lock"):
            _resize_large(store, videos, workers, progress)
        store = Store.open(folder, resize)
    if not keep_undecodable and store.undecodable.any():
        first = int(store.undecodable.argmax())
        example = f"{videos[first].path}: {store.reason[first]}"
        raise without_pictures(int(store.undecodable.sum()), len(store), example)
    return store


def without_pictures(count: int, of: int, first: str) -> BenchError:
    """The error for clips that a store may not hold as rows without a real frame."""
    return BenchError(
        f"{count} of {of} clips have no picture that decodes; first: {first}; replace them, "
        "or pass --missing count-as-miss or drop to go on"
    )


def keys_digest(keys: Sequence[str]) -> str:
    """64 hexadecimal digits over clips' keys, in their order."""
    return sha256("\n".join(keys).encode()).hexdigest()


def _prepare(
    videos: Sequence[Video],
    keys: Sequence[str],
    plan: StoreManifest,
    others: Sequence[Path],
    resize: Resize,
    folder: Path,
    workers: int,
    progress: Progress,
    keep_undecodable: bool,
) -> None:
    if not videos:
        raise BenchError(f"{folder}: there are no videos to decode")
    shards = [
        Shard(number, tuple(videos[first : first + plan.shard]), tuple(keys[first : first + plan.shard]))
        for number, first in enumerate(range(0, len(videos), plan.shard))
    ]
    _clear_other_plans(folder, plan)
    missing = [shard for shard in shards if not (folder / shard_table(shard.number)).exists()]
    if missing:
        missing = take_over(missing, plan.settings, others, resize, folder, keep_undecodable, progress)
    if missing:
        _decode_all(missing, plan.settings, resize, folder, workers, progress, keep_undecodable)
    _finish(folder, plan, resize, [shard.number for shard in shards])


def _clear_other_plans(folder: Path, plan: StoreManifest) -> None:
    """Removes what a killed preparation left, except finished shards of this very plan."""
    text = plan.model_dump_json()
    same = (folder / PLAN).is_file() and (folder / PLAN).read_text() == text
    for file in [
        *folder.glob("*.npy"),
        *folder.glob("*.parquet"),
        *folder.glob("resized-*.json"),
        *folder.glob(".*.part"),
    ]:
        if not same or file.suffix == ".part":
            file.unlink()
    with written_whole(folder / PLAN) as temporary:
        temporary.write_text(text)


def _decode_all(
    shards: Sequence[Shard],
    settings: StoreSettings,
    resize: Resize,
    folder: Path,
    workers: int,
    progress: Progress,
    keep_undecodable: bool,
) -> None:
    """Writes the shards, after an estimate of what that will take and a look at the free disk."""
    write = partial(
        write_shard,
        reader=ClipReader(hear, see, settings),
        resize=resize,
        folder=folder,
        keep_undecodable=keep_undecodable,
    )
    videos = [
        video
        for shard in shards
        for video, key in zip(shard.videos, shard.keys, strict=True)
        if key not in shard.known
    ]
    needed = estimate(videos, ClipReader(hear, see, settings), resize)
    failures = _write_all(write, shards, needed, folder, workers, progress, "decoding")
    if failures:
        raise without_pictures(len(failures), len(videos), failures[0])


def _resize_large(store: Store, videos: Sequence[Video], workers: int, progress: Progress) -> None:
    """Decodes the large clips of a finished store again, for a resize that nobody has asked for before."""
    folder, settings, resize = store.folder, store.settings, store.resize
    rows = store.large_rows
    numbers = sorted({row // store.manifest.shard for row in rows})
    own = {number: [row for row in rows if row // store.manifest.shard == number] for number in numbers}
    shards = [
        Shard(
            number, tuple(videos[row] for row in own[number]), tuple(store.keys[row] for row in own[number])
        )
        for number in numbers
    ]
    reader = ClipReader(hear, see, settings)
    write = partial(write_large_again, reader=reader, resize=resize, folder=folder)
    missing = [shard for shard in shards if not (folder / places_file(resize, shard.number)).exists()]
    failures = []
    if missing:
        needed = estimate([video for shard in missing for video in shard.videos], reader, resize)
        failures = _write_all(write, missing, needed, folder, workers, progress, f"resizing ({resize})")
    if failures:
        raise BenchError(
            f"{len(failures)} of {len(rows)} large clips decoded before and do not now; first: "
            f"{failures[0]}; put the files back, or delete {folder}"
        )
    finish_large(folder, resize, numbers)


def _write_all(
    write: Callable[[Shard, Begin], list[str]],
    shards: Sequence[Shard],
    needed: Estimate,
    folder: Path,
    workers: int,
    progress: Progress,
    what: str,
) -> list[str]:
    """Writes shards in worker processes; says before what it takes. Returns the errors of clips."""
    count = sum(len(shard.videos) - len(shard.known) for shard in shards)
    processes = min(workers, len(shards))
    by = f"{processes} processes" if processes > 1 else "one process"
    if count:
        progress.say(
            f"{what} {count:,} clips once: about {bytes_in_words(needed.size)} in {folder}, "
            f"about {seconds_in_words(needed.seconds / max(1, processes))} with {by}"
        )
    require_space(folder, needed.size)
    failures: list[str] = []
    with progress.task(f"{what} clips", count) as advance:
        left = list(shards)
        while left:
            again = []
            for shard, failed in watched(write, left, workers, CLIP_SECONDS):
                if isinstance(failed, LostItem):
                    again.append(_without_lost(shard, failed))
                else:
                    failures += failed
                    advance(len(shard.videos) - len(shard.known), "")
            left = again
    return failures


def _without_lost(shard: Shard, lost: LostItem) -> Shard:
    """The shard as it is tried again: without the clip over which it cost its processes."""
    if not lost.step:
        raise BenchError(
            f"a worker process {lost.how} ({lost.reason}) while it wrote clips {shard.videos[0].id} to "
            f"{shard.videos[-1].id}; what was finished is kept, so try again with one worker"
        )
    return replace(shard, lost={**shard.lost, lost.step: reason_of(lost)})


def _finish(folder: Path, plan: StoreManifest, resize: Resize, numbers: Sequence[int]) -> None:
    """Joins the shards' tables and writes the manifest; from then on the folder is a store."""
    parts = [folder / shard_table(number) for number in numbers]
    tables = [pq.read_table(part) for part in parts]
    with written_whole(folder / TABLE) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)
    large = [n for n, table in zip(numbers, tables, strict=True) if any(table["large"].to_pylist())]
    if large and all((folder / places_file(resize, number)).exists() for number in large):
        finish_large(folder, resize, large)
    names = [TABLE, *(name for number in numbers for name in shard_files(number))]
    files = {name: ((folder / name).stat().st_size, checksum(folder / name)) for name in names}
    with written_whole(folder / MANIFEST) as temporary:
        temporary.write_text(plan.model_copy(update={"files": files}).model_dump_json(indent=1))
    _remove_leftovers(folder)


def _leftovers(folder: Path) -> list[Path]:
    """What a finished store does not need: the tables of its shards, parts of files and, last, its plan."""
    plan = [folder / PLAN] if (folder / PLAN).exists() else []
    return [*folder.glob("clips-*.parquet"), *finished_places(folder), *folder.glob(".*.part"), *plan]


def _remove_leftovers(folder: Path) -> None:
    for file in _leftovers(folder):
        file.unlink(missing_ok=True)
