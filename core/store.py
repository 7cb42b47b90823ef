"""Decodes the clips of a data set once, in worker processes, into a store.

Each shard of clips is written whole, its table last; the manifest comes when all shards are there. A
killed preparation therefore goes on where it stopped, and a half-made store is never taken for a store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from core.datasets.base import Video
from core.errors import BenchError
from core.media import Clip, MediaError, decode_clip
from core.paths import require_space, written_whole
from core.progress import Progress
from core.storage import (
    MANIFEST,
    SAMPLE_SCALE,
    SHARD_CLIPS,
    TABLE,
    Manifest,
    Store,
    StoreSettings,
    checksum,
    shard_files,
)
from core.workers import in_workers

__all__ = ["Store", "StoreSettings", "digest", "estimate_bytes", "prepare_store"]

PLAN = "plan.json"


@dataclass(frozen=True)
class _Shard:
    number: int
    videos: tuple[Video, ...]


def prepare_store(
    videos: Sequence[Video],
    fingerprint: str,
    settings: StoreSettings,
    folder: Path,
    *,
    workers: int,
    progress: Progress,
) -> Store:
    """The store of these videos in `folder`, decoded first where it is not finished.

    `fingerprint` is the data set's. Raises `BenchError` where the folder holds a store of other
    settings or videos, the disk is too full, or clips have no picture that decodes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips = digest(videos)
    with FileLock(folder / "lock"):  # two commands may want the same store at the same time
        if not (folder / MANIFEST).exists():
            _prepare(
                videos,
                Manifest(settings=settings, dataset=fingerprint, clips=clips, shard=SHARD_CLIPS, files={}),
                folder,
                workers,
                progress,
            )
    store = Store.open(folder)
    store.require(settings, fingerprint, clips)
    return store


def digest(videos: Sequence[Video]) -> str:
    """64 hexadecimal digits over the videos' names and windows, in their order."""
    return sha256("\n".join(f"{v.id}\t{v.start}\t{v.end}" for v in videos).encode()).hexdigest()


def estimate_bytes(videos: Sequence[Video], settings: StoreSettings) -> int:
    """About how large the store will be, from decoding three of its clips."""
    probes = {0, len(videos) // 2, len(videos) - 1}
    sizes = []
    for row in sorted(probes):
        try:
            clip = _decode(videos[row], settings)
        except MediaError:
            continue  # preparation itself names every clip that cannot be decoded
        sizes.append(clip.frames.pixels.nbytes + 2 * clip.sound.samples.size)
    return len(videos) * sum(sizes) // max(len(sizes), 1)


def _prepare(videos: Sequence[Video], plan: Manifest, folder: Path, workers: int, progress: Progress) -> None:
    if not videos:
        raise BenchError(f"{folder}: there are no videos to decode")
    shards = [
        _Shard(number, tuple(videos[first : first + plan.shard]))
        for number, first in enumerate(range(0, len(videos), plan.shard))
    ]
    _clear_other_plans(folder, plan)
    missing = [shard for shard in shards if not (folder / _table(shard.number)).exists()]
    if missing:
        clips = sum(len(shard.videos) for shard in missing)
        require_space(folder, estimate_bytes(videos, plan.settings) * clips // len(videos))
        failures: list[str] = []
        with progress.task("decoding clips", clips) as advance:
            for shard, failed in in_workers(
                partial(_write_shard, settings=plan.settings, folder=folder), missing, workers
            ):
                failures += failed
                advance(len(shard.videos), "")
        if failures:
            raise BenchError(
                f"{len(failures)} of {len(videos)} clips have no picture that decodes; first: {failures[0]}"
            )
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


def _table(number: int) -> str:
    return f"clips-{number:05d}.parquet"


def _decode(video: Video, settings: StoreSettings) -> Clip:
    return decode_clip(
        video.path,
        sampling=settings.sampling,
        frames=settings.frames,
        size=settings.size,
        start=video.start,
        end=video.end,
    )


def _write_shard(shard: _Shard, settings: StoreSettings, folder: Path) -> list[str]:
    """Decodes and writes a shard; where clips fail nothing is written, and their errors are returned."""
    clips: list[Clip] = []
    failures: list[str] = []
    for video in shard.videos:
        try:
            clips.append(_decode(video, settings))
        except MediaError as error:
            failures.append(str(error))
    if failures:
        return failures
    sounds = [np.rint(clip.sound.samples.clip(-1, 1) * SAMPLE_SCALE).astype(np.int16) for clip in clips]
    pixels = [clip.frames.pixels.reshape(-1) for clip in clips]
    for name, arrays in zip(shard_files(shard.number), (pixels, sounds), strict=True):
        with written_whole(folder / name) as temporary, temporary.open("wb") as file:
            np.save(file, np.concatenate(arrays))
    rows = [
        _row(video, clip, int(first), int(start), sound.size)
        for video, clip, first, start, sound in zip(
            shard.videos, clips, _offsets(pixels), _offsets(sounds), sounds, strict=True
        )
    ]
    with written_whole(folder / _table(shard.number)) as temporary:
        pq.write_table(pa.Table.from_pylist(rows), temporary)
    return []


def _offsets(arrays: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where each array begins when they lie end to end."""
    return np.cumsum([0, *(a.size for a in arrays[:-1])])


def _row(video: Video, clip: Clip, pixels_at: int, sound_at: int, samples: int) -> dict[str, object]:
    frames = clip.frames
    return {
        "id": video.id,
        "height": frames.pixels.shape[1],
        "width": frames.pixels.shape[2],
        "pixels_at": pixels_at,
        "sound_at": sound_at,
        "samples": samples,
        "duration": np.float32(frames.duration),
        "times": frames.times,
        "mask": frames.mask,
        "status": clip.sound.status,
        "reason": clip.sound.reason,
    }


def _finish(folder: Path, plan: Manifest, numbers: Sequence[int]) -> None:
    """Joins the shards' tables and writes the manifest; from then on the folder is a store."""
    parts = [folder / _table(number) for number in numbers]
    with written_whole(folder / TABLE) as temporary:
        pq.write_table(pa.concat_tables(pq.read_table(part) for part in parts), temporary)
    names = [TABLE, *(name for number in numbers for name in shard_files(number))]
    files = {name: ((folder / name).stat().st_size, checksum(folder / name)) for name in names}
    with written_whole(folder / MANIFEST) as temporary:
        temporary.write_text(plan.model_copy(update={"files": files}).model_dump_json(indent=1))
    for part in [*parts, folder / PLAN]:
        part.unlink()
