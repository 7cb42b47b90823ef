"""`bench index`: a folder of videos becomes an index, some hundred videos at a time.

Each part is decoded, encoded, indexed by the method and written whole before the next begins, so that any
number of videos takes the memory and the work space of one part. A second call finds what is new, what is
gone and what was changed, by the files' identities, and does no more than that.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from core.checksums import digests
from core.dataset import Video
from core.datasets.media_folder import videos_in
from core.errors import BenchError
from core.paths import FULL, require_writable
from core.progress import Progress, Silent
from core.running.code import code_fingerprint
from core.running.trained import EncodedFiles, NothingUsable, TrainedRun
from core.scoring.scoring import build_index, exact_arithmetic
from core.search.basis import write_basis
from core.search.layout import (
    FRAMES_FILE,
    PART_VIDEOS,
    VECTORS_FILE,
    VIDEOS_FILE,
    IndexFolder,
    IndexManifest,
    Part,
)
from core.search.measured import with_candidates
from core.store.identity import clip_keys

WORK = "work"
"""Folder of what a build is at."""


@dataclass(frozen=True)
class IndexBuilt:
    """What a build has done."""

    videos: int
    """That can be found now."""
    added: int
    removed: int
    """Of before: gone from the folder, or changed since."""
    unusable: Mapping[str, str]
    """Path -> why it cannot be used."""
    passed_over: int
    """Files of other kinds."""


def index_videos(
    run: TrainedRun,
    videos: str | Path,
    out: str | Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> IndexBuilt:
    """Makes the index of a folder of videos in the folder `out`, or brings it up to date.

    A killed build goes on where it stopped. Raises `BenchError` for a folder without a video, an index of
    another run, a method whose scores depend on the gallery, and a full disk.
    """
    if run.method.needs.gallery:
        raise BenchError(
            f"the scores of {run.method.title} depend on the whole gallery, so that a search could not score "
            "a few candidates; index with another method"
        )
    if run.method.needs.video_captions:
        raise BenchError(f"{run.method.title} reads captions of the videos, and a folder has none")
    progress, folder, root = progress or Silent(), IndexFolder(Path(out)), Path(videos)
    found, passed_over = videos_in(root, "--videos")
    require_writable(folder.path)
    try:
        with FileLock(folder.path / "lock", timeout=0):
            return _build(run, folder, root.resolve(), found, passed_over, workers, progress)
    except Timeout as error:
        raise BenchError(f"{folder.path} is being built by another process; wait for it") from error
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise BenchError(
            f"{folder.path}: the disk is full; what was indexed is kept: free some and run the same command"
        ) from error


def _build(
    run: TrainedRun,
    folder: IndexFolder,
    root: Path,
    found: Sequence[Video],
    passed_over: int,
    workers: int,
    progress: Progress,
) -> IndexBuilt:
    manifest = begun(run, folder, root)
    _clear(folder, manifest)
    keys = dict(zip([video.id for video in found], clip_keys(found), strict=True))
    manifest, known = without_changed(folder, manifest, keys)
    removed = sum(len(part.gone) for part in manifest.parts) - len(known.forgotten)
    unusable = {path: tried for path, tried in manifest.unusable.items() if keys.get(path) == tried[0]}
    manifest = manifest.model_copy(
        update={"unusable": unusable, "passed_over": passed_over, "finished": False, "root": str(root)}
    )
    new = [video for video in found if video.id not in known.present and video.id not in unusable]
    folder.write(manifest)
    added = 0
    with progress.task("indexing videos", len(new)) as advance:
        for first in range(0, len(new), PART_VIDEOS):
            chunk = new[first : first + PART_VIDEOS]
            manifest = with_part(run, folder, manifest, chunk, keys, workers, progress)
            folder.write(manifest)
            if manifest.parts and manifest.parts[-1].number == manifest.next_part - 1:
                added += manifest.parts[-1].videos
            advance(len(chunk), "")
    if not manifest.videos:
        example, (_, reason) = next(iter(manifest.unusable.items()))
        raise BenchError(
            f"{root}: none of {len(found):,} videos can be used; first: {example}: {reason}; name others"
        )
    manifest = with_candidates(run, folder, manifest, progress)
    folder.write(manifest.model_copy(update={"finished": True}))
    reasons = {path: reason for path, (_, reason) in manifest.unusable.items()}
    return IndexBuilt(manifest.videos, added, removed, reasons, passed_over)


def begun(run: TrainedRun, folder: IndexFolder, root: Path) -> IndexManifest:
    """The manifest that a build goes on from; raises `BenchError` for an index of another run."""
    code = code_fingerprint(run.spec)
    place = str(run.directory.path.resolve())
    if not folder.exists:
        if any(child.name not in ("lock", WORK) for child in folder.path.iterdir()):
            raise BenchError(f"{folder.path} holds other files; name a new folder with --out")
        return IndexManifest(run=place, model=run.fingerprint, code=code, root=str(root))
    manifest = folder.read()
    if manifest.model != run.fingerprint:
        raise BenchError(
            f"{folder.path} is an index of another run ({manifest.run}); name that one, or another --out"
        )
    if manifest.code != code:
        raise BenchError(
            f"{folder.path} was built by other code than this, which may keep other numbers of a "
            "video; build it again elsewhere (--out)"
        )
    parts = tuple(part for part in manifest.parts if folder.part(part).is_dir())
    manifest = manifest.model_copy(update={"run": place, "parts": parts})
    folder.require_whole(manifest)
    return manifest


def _clear(folder: IndexFolder, manifest: IndexManifest) -> None:
    """Removes parts that a kill left out of the manifest."""
    (folder.path / "parts").mkdir(exist_ok=True)
    known = {folder.part(part).name for part in manifest.parts}
    for other in (folder.path / "parts").iterdir():
        if other.name not in known:
            shutil.rmtree(other)


@dataclass(frozen=True)
class KnownVideos:
    """What an index has already."""

    present: frozenset[str]
    """Paths that are indexed as they are now."""
    forgotten: frozenset[tuple[int, int]]
    """Part and row of what earlier builds had forgotten."""


def without_changed(
    folder: IndexFolder, manifest: IndexManifest, keys: Mapping[str, str]
) -> tuple[IndexManifest, KnownVideos]:
    """The manifest that forgets videos which are gone or changed, and what is left.

    `keys` are the identities of the files that are there now. What is forgotten stays in its part and is
    found no more.
    """
    parts, present, forgotten = [], set[str](), set[tuple[int, int]]()
    for part in manifest.parts:
        table = pq.read_table(folder.part(part) / VIDEOS_FILE, columns=["path", "key"]).to_pylist()
        before = set(part.gone)
        forgotten |= {(part.number, row) for row in before}
        gone = {row for row, video in enumerate(table) if keys.get(video["path"]) != video["key"]} | before
        present |= {video["path"] for row, video in enumerate(table) if row not in gone}
        parts.append(part.model_copy(update={"gone": tuple(sorted(gone))}))
    return manifest.model_copy(update={"parts": tuple(parts)}), KnownVideos(
        frozenset(present), frozenset(forgotten)
    )


def with_part(
    run: TrainedRun,
    folder: IndexFolder,
    manifest: IndexManifest,
    videos: Sequence[Video],
    keys: Mapping[str, str],
    workers: int,
    progress: Progress,
) -> IndexManifest:
    """The manifest with one more part of these videos, and with those that cannot be used."""
    work = folder.path / WORK
    try:
        encoded = run.encode_files(videos, work, workers=workers, progress=progress)
        reasons: Mapping[str, str] = {
            videos[row].id: encoded.store.reason[row]
            for row in range(len(videos))
            if encoded.store.undecodable[row]
        }
    except NothingUsable as error:
        encoded, reasons = None, error.reasons
    unusable = {**manifest.unusable, **{path: (keys[path], reason) for path, reason in reasons.items()}}
    number, parts = manifest.next_part, manifest.parts
    if encoded is not None:
        parts = (*parts, written_part(run, folder, number, videos, keys, encoded))
    shutil.rmtree(work)
    update = {"unusable": unusable, "parts": parts, "next_part": number + (encoded is not None)}
    return manifest.model_copy(update=update)


def written_part(
    run: TrainedRun,
    folder: IndexFolder,
    number: int,
    videos: Sequence[Video],
    keys: Mapping[str, str],
    encoded: EncodedFiles,
) -> Part:
    """Writes a part, whole or not at all."""
    name = f"{number:05d}"
    place, temporary = folder.path / "parts" / name, folder.path / "parts" / f".{name}.part"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        index = build_index(run.method, encoded.videos, engine=run.spec.evaluation.engine)
        write_basis(index.videos, temporary)
        vectors = candidate_vectors(run, encoded)
        np.save(temporary / VECTORS_FILE, vectors.half().cpu().numpy())
        if vectors.shape[1] == 1:  # else they are the frames'
            frames = torch.nn.functional.normalize(encoded.videos.frames, dim=-1)
            np.save(temporary / FRAMES_FILE, frames.half().cpu().numpy())
        rows, store = encoded.rows.tolist(), encoded.store
        table = pa.table(
            {
                "path": [videos[row].id for row in rows],
                "key": [keys[videos[row].id] for row in rows],
                "duration": pa.array(store.duration[rows]),
                "times": pa.array(list(store.times[rows]), pa.list_(pa.float32())),
                "mask": pa.array(list(store.mask[rows]), pa.list_(pa.bool_())),
            }
        )
        pq.write_table(table, temporary / VIDEOS_FILE)
        files = digests(temporary, sorted(file.name for file in temporary.iterdir()))
        os.replace(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Part(number=number, videos=len(rows), files=files)


def candidate_vectors(run: TrainedRun, encoded: EncodedFiles) -> Tensor:
    """Vectors `(V, M, D)` that find a video: the method's own, or the mean direction of its frames."""
    videos = encoded.videos
    with exact_arithmetic(run.method):
        if run.method.candidates:
            return run.method.candidates.videos(run.method.index(videos))
        directions = torch.nn.functional.normalize(videos.frames, dim=-1) * videos.frame_mask[..., None]
        return torch.nn.functional.normalize(directions.sum(1, keepdim=True), dim=-1)
