"""Decodes the clips of a data set once, in worker processes, into a store.

Each shard of clips is written whole, its table last; the manifest comes when all shards are there. A
killed preparation therefore goes on where it stopped, and a half-made store is never taken for a store.
A file that crashes or hangs its decoder costs a process, not the preparation: it counts as undecodable.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import mean
from time import thread_time
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from core.checksums import checksum
from core.dataset import Video
from core.errors import BenchError
from core.media.media import MediaError
from core.paths import require_space, require_writable, written_whole
from core.progress import Progress, bytes_in_words, seconds_in_words
from core.store.decoding import CLIP_SECONDS, each_clip, reason_of
from core.store.shards import Decode, Shard, decode, shard_table, write_shard
from core.store.storage import (
    MANIFEST,
    SHARD_CLIPS,
    TABLE,
    Manifest,
    Store,
    StoreSettings,
    shard_files,
)
from core.workers import Lost, watched

__all__ = ["Store", "StoreSettings", "digest", "estimate", "prepare_store"]

PLAN = "plan.json"
PROBES = 5
"""Clips that are decoded for an estimate."""
PROBE_SECONDS = 60.0
"""After which a clip is left out of an estimate."""


def prepare_store(
    videos: Sequence[Video],
    fingerprint: str,
    settings: StoreSettings,
    folder: Path,
    *,
    workers: int,
    progress: Progress,
    keep_undecodable: bool = False,
) -> Store:
    """The store of these videos in `folder`, decoded first where it is not finished.

    `fingerprint` is the data set's. A clip without a picture that decodes is an error, or with
    `keep_undecodable` a row without a real frame (see `Store.undecodable`). Raises `BenchError` where
    the folder holds a store of other settings or videos, the disk is too full, or clips do not decode.
    """
    clips = digest(videos)
    if not (folder / MANIFEST).exists():  # a finished store may be read-only
        require_writable(folder)
        with FileLock(folder / "lock"):  # two commands may want the same store at the same time
            if not (folder / MANIFEST).exists():
                plan = Manifest(
                    settings=settings, dataset=fingerprint, clips=clips, shard=SHARD_CLIPS, files={}
                )
                _prepare(videos, plan, folder, workers, progress, keep_undecodable)
    store = Store.open(folder)
    store.require(settings, fingerprint, clips)
    if not keep_undecodable and store.undecodable.any():
        first = int(store.undecodable.argmax())
        raise BenchError(
            f"{store.undecodable.sum()} of {len(store)} clips have no picture that decodes; first: "
            f"{videos[first].path}: {store.reason[first]}; replace them and delete {folder}, "
            "or pass --missing count-as-miss or drop to go on"
        )
    return store


def digest(videos: Sequence[Video]) -> str:
    """64 hexadecimal digits over the videos' names and windows, in their order."""
    return sha256("\n".join(f"{v.id}\t{v.start}\t{v.end}" for v in videos).encode()).hexdigest()


class Estimate(NamedTuple):
    """What decoding some clips will take."""

    size: float
    """Bytes of the store."""
    seconds: float
    """Of one processor core."""


def estimate(videos: Sequence[Video], settings: StoreSettings) -> Estimate:
    """About what decoding the videos will take, from decoding a few of them, evenly spaced."""
    rows = np.unique(np.linspace(0, len(videos) - 1, PROBES).round().astype(int))
    cost = partial(_cost, decode=decode, settings=settings)
    found = [one for _, one in each_clip(cost, [videos[row] for row in rows], 1, PROBE_SECONDS)]
    # Preparation itself names every clip that cannot be decoded.
    costs = [one for one in found if isinstance(one, Estimate)] or [Estimate(0, 0)]
    return Estimate(
        len(videos) * mean(one.size for one in costs), len(videos) * mean(one.seconds for one in costs)
    )


def _cost(video: Video, decode: Decode, settings: StoreSettings) -> Estimate | None:
    """What one clip takes; None where it does not decode."""
    began = thread_time()
    try:
        clip = decode(video, settings)
    except MediaError:
        return None
    return Estimate(clip.frames.pixels.nbytes + clip.sound.planes.nbytes, thread_time() - began)


def _prepare(
    videos: Sequence[Video],
    plan: Manifest,
    folder: Path,
    workers: int,
    progress: Progress,
    keep_undecodable: bool,
) -> None:
    if not videos:
        raise BenchError(f"{folder}: there are no videos to decode")
    shards = [
        Shard(number, tuple(videos[first : first + plan.shard]))
        for number, first in enumerate(range(0, len(videos), plan.shard))
    ]
    _clear_other_plans(folder, plan)
    missing = [shard for shard in shards if not (folder / shard_table(shard.number)).exists()]
    if missing:
        _decode_all(missing, plan.settings, folder, workers, progress, keep_undecodable)
    _finish(folder, plan, [shard.number for shard in shards])


def _clear_other_plans(folder: Path, plan: Manifest) -> None:
    """Removes what a killed preparation left, except finished shards of this very plan."""
    text = plan.model_dump_json()
    same = (folder / PLAN).is_file() and (folder / PLAN).read_text() == text
    for file in [*folder.glob("*.npy"), *folder.glob("*.parquet"), *folder.glob(".*.part")]:
        if not same or file.suffix == ".part":
            file.unlink()
    with written_whole(folder / PLAN) as temporary:
        temporary.write_text(text)


def _decode_all(
    shards: Sequence[Shard],
    settings: StoreSettings,
    folder: Path,
    workers: int,
    progress: Progress,
    keep_undecodable: bool,
) -> None:
    """Writes the shards, after an estimate of what that will take and a look at the free disk."""
    videos = [video for shard in shards for video in shard.videos]
    needed = estimate(videos, settings)
    processes = min(workers, len(shards))
    by = f"{processes} processes" if processes > 1 else "one process"
    progress.say(
        f"decoding {len(videos):,} clips once: about {bytes_in_words(needed.size)} in {folder}, "
        f"about {seconds_in_words(needed.seconds / processes)} with {by}"
    )
    require_space(folder, needed.size)
    failures: list[str] = []
    with progress.task("decoding clips", len(videos)) as advance:
        write = partial(
            write_shard, decode=decode, settings=settings, folder=folder, keep_undecodable=keep_undecodable
        )
        left = list(shards)
        while left:
            again = []
            for shard, failed in watched(write, left, workers, CLIP_SECONDS):
                if isinstance(failed, Lost):
                    again.append(_without_lost(shard, failed))
                else:
                    failures += failed
                    advance(len(shard.videos), "")
            left = again
    if failures:
        raise BenchError(
            f"{len(failures)} of {len(videos)} clips have no picture that decodes; first: {failures[0]}; "
            "replace them, or pass --missing count-as-miss or drop to go on"
        )


def _without_lost(shard: Shard, lost: Lost) -> Shard:
    """The shard as it is tried again: without the clip over which it cost its processes."""
    if not lost.step:
        raise BenchError(
            f"a worker process {lost.how} ({lost.reason}) while it wrote clips {shard.videos[0].id} to "
            f"{shard.videos[-1].id}; what was finished is kept, so try again with one worker"
        )
    return replace(shard, lost={**shard.lost, lost.step: reason_of(lost)})


def _finish(folder: Path, plan: Manifest, numbers: Sequence[int]) -> None:
    """Joins the shards' tables and writes the manifest; from then on the folder is a store."""
    parts = [folder / shard_table(number) for number in numbers]
    with written_whole(folder / TABLE) as temporary:
        pq.write_table(pa.concat_tables(pq.read_table(part) for part in parts), temporary)
    names = [TABLE, *(name for number in numbers for name in shard_files(number))]
    files = {name: ((folder / name).stat().st_size, checksum(folder / name)) for name in names}
    with written_whole(folder / MANIFEST) as temporary:
        temporary.write_text(plan.model_copy(update={"files": files}).model_dump_json(indent=1))
    for part in [*parts, folder / PLAN]:
        part.unlink()
