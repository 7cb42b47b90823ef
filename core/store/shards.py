"""One shard of a store: some clips decoded, their planes, sounds and table written whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.data_options import Resize
from core.dataset import Video
from core.media.media import MediaError
from core.paths import written_whole
from core.store.columns import JPEG_COLUMNS, LAYOUT, shard_files
from core.store.keeping import Kept, blank, keep, small
from core.store.large import LargePlace, Places, Resized, data_file, places_file
from core.store.reading import ClipReader
from core.store.sounds import SOUND_COLUMNS
from core.workers import Begin


@dataclass(frozen=True)
class Shard:
    """Clips whose files are written together."""

    number: int
    """Position among the shards of its store."""
    videos: tuple[Video, ...]
    """Its clips, in the store's order."""
    keys: tuple[str, ...]
    """What each of them is (see `core.store.identity`)."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Step that has cost processes -> how they ended; it is not tried again. A step is a clip's name, or that
    with `PICTURE` or `SOUND`."""
    known: Mapping[str, Callable[[], Kept]] = field(default_factory=dict)
    """Key -> what gives the clip as another store has it; it is not decoded."""


def shard_table(number: int) -> str:
    """Name of a shard's table, which is written last."""
    return f"clips-{number:05d}.parquet"


def write_shard(
    shard: Shard,
    begin: Begin,
    *,
    reader: ClipReader,
    resize: Resize,
    folder: Path,
    keep_undecodable: bool,
) -> list[str]:
    """Decodes and writes a shard; each clip is a step, for FFmpeg may crash or hang over it.

    Where clips fail and are not to be kept nothing is written, and their errors are returned.
    """
    clips: list[Kept] = []
    failures: list[str] = []
    frames_as = reader.settings.frames_as
    for video, key in zip(shard.videos, shard.keys, strict=True):
        if key in shard.known:
            clips.append(shard.known[key]())
            continue
        try:
            clips.append(keep(video.id, key, reader.read(video, begin, shard.lost), "", resize, frames_as))
        except MediaError as error:
            failures.append(str(error))
            empty = blank(reader.settings, error.reason)
            clips.append(keep(video.id, key, empty, error.reason, resize, frames_as))
    begin("")
    if failures and not keep_undecodable:
        return failures
    write_kept(shard.number, clips, resize, folder)
    return []


def write_kept(number: int, clips: Sequence[Kept], resize: Resize, folder: Path) -> None:
    """Writes the files of a shard, its table last."""
    large = {str(kept.columns["id"]): kept.large for kept in clips if kept.large is not None}
    write_large(number, large, resize, folder)
    frames, sounds = [kept.frames for kept in clips], [kept.sound for kept in clips]
    files: list[Sequence[NDArray[Any]]] = [frames, sounds]
    for name, arrays in zip(shard_files(number), files, strict=True):
        with written_whole(folder / name) as temporary, temporary.open("wb") as file:
            _save_joined(file, arrays)
    rows = [
        {**kept.columns, "pixels_at": int(first), "sound_at": int(start)}
        for kept, first, start in zip(clips, _offsets(frames), _offsets(sounds), strict=True)
    ]
    write_table(number, rows, folder)


def write_table(number: int, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Writes the table of a shard."""
    with written_whole(folder / shard_table(number)) as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=_schema(rows)), temporary)


def write_large_again(
    shard: Shard, begin: Begin, *, reader: ClipReader, resize: Resize, folder: Path
) -> list[str]:
    """Decodes the large clips of a shard, which are all its videos, for another resize.

    Where one fails nothing is written, and the errors are returned.
    """
    found: dict[str, Resized] = {}
    failures: list[str] = []
    for video in shard.videos:
        try:
            clip = reader.read(replace(video, sound="none"), begin, shard.lost)
            found[video.id] = small(clip.frames, resize, reader.settings.frames_as)
        except MediaError as error:
            failures.append(str(error))
    begin("")
    if not failures:
        write_large(shard.number, found, resize, folder)
    return failures


def write_large(shard: int, clips: Mapping[str, Resized], resize: Resize, folder: Path) -> None:
    """Writes the resized frames of a shard's large clips, and last where they are; nothing for none."""
    if not clips:
        return
    arrays = [clip.data for clip in clips.values()]
    with written_whole(folder / data_file(resize, shard)) as temporary, temporary.open("wb") as file:
        _save_joined(file, arrays)
    places = {
        id: LargePlace(
            shard=shard,
            at=int(at),
            shape=clip.shape,
            jpeg_bytes=clip.jpeg_bytes,
            jpeg_error=clip.jpeg_error,
        )
        for (id, clip), at in zip(clips.items(), _offsets(arrays), strict=True)
    }
    with written_whole(folder / places_file(resize, shard)) as temporary:
        temporary.write_text(Places(clips=places).model_dump_json(exclude_defaults=True), encoding="utf-8")


def _save_joined(file: BinaryIO, arrays: Sequence[np.ndarray[Any, Any]]) -> None:
    """Writes flat arrays end to end as one .npy file, without a copy of them all in memory."""
    shape = (sum(array.size for array in arrays),)
    descr = np.lib.format.dtype_to_descr(arrays[0].dtype)
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    for array in arrays:
        file.write(array.data)


def _offsets(arrays: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where each array begins when they lie end to end."""
    return np.cumsum([0, *(a.size for a in arrays[:-1])])


def _schema(rows: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """Types of the columns, whatever the rows hold; only those of a store of JPEG files have its columns."""
    jpeg = JPEG_COLUMNS if JPEG_COLUMNS.keys() <= rows[0].keys() else {}
    return pa.schema(
        [
            ("id", pa.string()),
            ("key", pa.string()),
            *((name, pa.string() if name == "format" else pa.int64()) for name in LAYOUT),
            ("large", pa.bool_()),
            *((name, pa.int64()) for name in ("pixels_at", "sound_at")),
            ("duration", pa.float32()),
            ("times", pa.list_(pa.float32())),
            ("mask", pa.list_(pa.bool_())),
            ("reason", pa.string()),
            ("states", pa.list_(pa.string())),
            ("seen", pa.string()),
            ("heard", pa.string()),
            *SOUND_COLUMNS.items(),
            *jpeg.items(),
        ]
    )
