"""The memory-mapped store of decoded clips: training and scoring read no media file.

A store is a folder: frames as they decoded (packed planes, see `core.media.planes`), or on request as JPEG
files (`core.store.jpeg`), and sound as the track has it (int16, its own rate, up to two planes) of some clips
each in one flat file per shard, `clips.parquet` with a row per clip, and `manifest.json`, which is written
last. Every resize is made when they are read. Clips whose planes would take over twice the space of their
resized frames are large: of them those are kept, per resize in files of their own (`core.store.large`).
`core.store.store` makes a store; nothing here writes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.checksums import checksum
from core.data_options import Resize
from core.errors import BenchError
from core.media.hearing import OURS, Hearing, heard
from core.media.media import READER_COLOURS
from core.media.pictures import Picture, pixels_of, stacked, upright
from core.media.planes import PlaneLayout
from core.media.waveform import Sound
from core.store.columns import LAYOUT, column_numbers, kept_layout, place_columns, shard_files
from core.store.jpeg import decoded_frames
from core.store.large import DTYPES, Large, read_large
from core.store.manifest import REMAKE, TABLE, StoreManifest, StoreSettings, read_store_manifest
from core.store.sounds import SOUND_COLUMNS, sound_from


@dataclass(frozen=True)
class Store:
    """An opened store. Rows are in the order of the videos that it was made of."""

    folder: Path
    """Where it lies."""
    manifest: StoreManifest
    """What was decoded, and the files' sizes and checksums."""
    ids: tuple[str, ...]
    """Name of each clip, `(V,)`."""
    has_audio: NDArray[np.bool_]
    """`(V,)` False where the clip has no sound that could be decoded."""
    duration: NDArray[np.float32]
    """`(V,)` seconds."""
    mask: NDArray[np.bool_]
    """`(V, F)` False for the empty slots of a short clip."""
    times: NDArray[np.float32]
    """`(V, F)` seconds from the start of the clip."""
    status: tuple[str, ...]
    """`(V,)` what became of the sound: `audible`, `silent`, `no-track` or `undecodable`."""
    reason: tuple[str, ...]
    """`(V,)` why the sound, or the whole clip, is missing or incomplete; empty where all is well."""
    states: tuple[tuple[str, ...], ...]
    """`(V,)` what is wrong with a clip that can be used all the same, e.g. "damaged: 3 of 80 frames ..."."""
    keys: tuple[str, ...]
    """`(V,)` what each clip's files were when they were decoded (see `core.store.identity`)."""
    seen: tuple[str, ...]
    """`(V,)` digest of a clip's frames as they decoded."""
    heard: tuple[str, ...]
    """`(V,)` digest of its sound."""
    resize: Resize
    """How `pixels` come to the short side's size."""
    layouts: tuple[PlaneLayout | None, ...]
    """`(V,)` of the frames; None for large clips, and for those that do not decode."""
    large: Large | None
    """The resized frames of the large clips; None where there are none, or none for this resize."""
    table: pa.Table
    """A row per clip, all columns."""
    _columns: dict[str, NDArray[Any]]
    _shards: dict[str, NDArray[Any]] = field(default_factory=dict, compare=False)
    _verified: set[int] = field(default_factory=set, compare=False)

    @classmethod
    def open(cls, folder: Path, resize: Resize = "antialiased") -> Self:
        """Opens a finished store without reading its pixels and sounds.

        Raises `BenchError` where it is missing, unfinished, truncated or not readable.
        """
        manifest = read_store_manifest(folder)
        for name, (size, _) in manifest.files.items():
            found = (folder / name).stat().st_size if (folder / name).is_file() else None
            if found != size:
                what = "is missing" if found is None else f"has {found} bytes, not {size}"
                raise BenchError(f"{folder / name} {what}; {REMAKE}")
        if checksum(folder / TABLE) != manifest.files[TABLE][1]:
            raise BenchError(f"{folder / TABLE} is damaged; {REMAKE}")
        table = pq.read_table(folder / TABLE)
        frames = manifest.settings.frames
        texts = {name: table[name].to_pylist() for name in ("id", "status", "states", "key", "seen", "heard")}
        reasons = zip(table["reason"].to_pylist(), table["sound_reason"].to_pylist(), strict=True)
        columns = place_columns(table, frames, jpeg=manifest.settings.frames_as == "jpeg")
        return cls(
            folder=folder,
            manifest=manifest,
            ids=tuple(texts["id"]),
            has_audio=columns["samples"] * columns["planes"] > 0,
            duration=column_numbers(table, "duration"),
            mask=column_numbers(table, "mask").reshape(-1, frames),
            times=column_numbers(table, "times").reshape(-1, frames),
            status=tuple(texts["status"]),
            reason=tuple(picture or sound for picture, sound in reasons),
            states=tuple(map(tuple, texts["states"])),
            keys=tuple(texts["key"]),
            seen=tuple(texts["seen"]),
            heard=tuple(texts["heard"]),
            resize=resize,
            layouts=tuple(kept_layout(row) for row in table.select(LAYOUT).to_pylist()),
            large=read_large(folder, resize) if columns["large"].any() else None,
            table=table,
            _columns=columns,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_shards": {}}  # another process maps the files itself

    @cached_property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change with the settings, the clips' names, and what they decoded to.

        Files that were only touched or copied leave it as it is.
        """
        rows = "\n".join(map("\t".join, zip(self.ids, self.seen, self.heard, strict=True)))
        lasts = self.duration.tobytes().hex()
        return sha256(f"{self.settings.model_dump_json()}\n{lasts}\n{rows}".encode()).hexdigest()

    @cached_property
    def sound_ends(self) -> NDArray[np.float64]:
        """`(V,)` seconds of the clip at which its sound ends; 0 where there is none."""
        columns = (self.table[name].to_pylist() for name in ("rate", "starts", "lengths"))
        ends = [
            max((start + samples / rate for start, samples in zip(starts, lengths, strict=True)), default=0.0)
            for rate, starts, lengths in zip(*columns, strict=True)
        ]
        return np.array(ends)

    @property
    def large_rows(self) -> list[int]:
        """Rows of the clips whose resized frames are kept."""
        return [int(row) for row in np.flatnonzero(self._columns["large"])]

    @property
    def settings(self) -> StoreSettings:
        """What was decoded."""
        return self.manifest.settings

    @property
    def undecodable(self) -> NDArray[np.bool_]:
        """`(V,)` True for clips without a picture that decodes, which have no real frame; see `reason`."""
        return np.asarray(~self.mask.any(axis=1))

    @property
    def shards(self) -> range:
        """Numbers of the shards."""
        return range(-(-len(self) // self.manifest.shard))

    def rows(self, shard: int) -> range:
        """Rows of the clips in a shard."""
        return range(shard * self.manifest.shard, min((shard + 1) * self.manifest.shard, len(self)))

    def require(self, settings: StoreSettings, dataset: str, clips: str) -> None:
        """Raises `BenchError` unless the store was made with these settings, of this data set and clips."""
        for name in StoreSettings.model_fields:
            made, wanted = getattr(self.settings, name), getattr(settings, name)
            if made != wanted:
                raise BenchError(f"{self.folder} was made with {name}={made}, not {wanted}; {REMAKE}")
        if (self.manifest.dataset, self.manifest.clips) != (dataset, clips):
            raise BenchError(f"{self.folder} was made of another version of the data set; {REMAKE}")

    def planes(self, row: int) -> NDArray[np.uint8]:
        """Frames of a clip, `(F, bytes)`: as they decoded, mapped and not copied, or from their JPEG files.

        Read by the row's layout; without a byte where the row has none.
        """
        kept, frames = self.kept_frames(row), self.settings.frames
        if not self._is_jpeg:
            return kept.reshape(frames, -1) if kept.size else np.zeros((frames, 0), np.uint8)
        layout = self.layouts[row]
        black = np.zeros(layout.size if layout else 0, np.uint8)
        files = decoded_frames(kept, self._columns["jpeg_bytes"][row].tolist())
        return np.stack([black if frame is None else frame.reshape(-1) for frame in files])

    def kept_frames(self, row: int) -> NDArray[np.uint8]:
        """The planes of a clip's frames end to end, or their JPEG files, mapped from disk and not copied."""
        layout, first = self.layouts[row], self._columns["pixels_at"][row]
        raw = self.settings.frames * layout.size if layout else 0
        size = self._columns["jpeg_bytes"][row].sum() if self._is_jpeg else raw
        found: NDArray[np.uint8] = self._shard(row, 0)[first : first + size]
        return found

    @property
    def _is_jpeg(self) -> bool:
        return self.settings.frames_as == "jpeg"

    @property
    def jpeg_error(self) -> NDArray[np.float64] | None:
        """`(V,)` what clips lose as JPEG files (see `core.store.jpeg`), large ones under this resize.

        NaN where nothing decodes; None where frames are raw.
        """
        if not self._is_jpeg:
            return None
        found: NDArray[np.float64] = self._columns["jpeg_error"].copy()
        resized = self.large.manifest.clips if self.large else {}
        for row in self.large_rows:
            found[row] = resized[self.ids[row]].jpeg_error if resized else np.nan
        return found

    def pixels(self, row: int) -> Tensor:
        """Frames of a clip as the method takes them, `(F, h, w, 3)` with values 0 to 255.

        The short side has `settings.size` pixels; uint8 under `antialiased`, else float32. Black where the
        mask is False. Raises `BenchError` for a large clip that was never resized in this way.
        """
        return self._pixels(row, self.resize)

    def frames(self, row: int) -> NDArray[np.uint8]:
        """Frames of a clip for people, `(F, h, w, 3)`, short side `settings.size`.

        Resized with antialiasing, or, of a large clip, in whatever way they are kept.
        """
        large = next((kept for kept in (self.large, *self._other_large()) if kept), None)
        if self._columns["large"][row] and large:
            found = large.frames(self.ids[row])
        else:
            found = self._pixels(row, "antialiased")
        shown: NDArray[np.uint8] = found.round().clamp(0, 255).to(torch.uint8).numpy()
        return shown

    def _other_large(self) -> Iterator[Large | None]:
        return (read_large(self.folder, resize) for resize in DTYPES if resize != self.resize)

    def _pixels(self, row: int, resize: Resize) -> Tensor:
        if self._columns["large"][row]:
            if self.large is None:
                raise BenchError(f"{self.folder}: {self.ids[row]} is not there under {self.resize}; {REMAKE}")
            return self.large.frames(self.ids[row])
        colours = READER_COLOURS[self.settings.reader]
        return pixels_of(self._pictures(row), self.settings.size, resize, colours)

    def decoded(self, row: int) -> Tensor:
        """Upright frames of a clip in the size in which they decoded, `(F, h, w, 3)` uint8.

        Of a large clip, which is only kept resized, and of one without a picture they are `pixels`; raises as
        it does.
        """
        pictures = self._pictures(row)
        if self._columns["large"][row] or not any(pictures):
            return self.pixels(row)
        return stacked([upright(picture, READER_COLOURS[self.settings.reader]) for picture in pictures])

    def _pictures(self, row: int) -> list[Picture | None]:
        layout = self.layouts[row]
        shown = zip(self.planes(row), self.mask[row], strict=True)
        return [Picture(layout, planes) if layout and real else None for planes, real in shown]

    def samples(self, row: int) -> NDArray[np.int16]:
        """The planes of a clip's sound end to end, mapped from disk and not copied."""
        first, columns = self._columns["sound_at"][row], self._columns
        return self._shard(row, 1)[first : first + columns["samples"][row] * columns["planes"][row]]

    def sound(self, row: int) -> Sound:
        """The sound of a clip as its track has it; its samples are mapped and not copied."""
        columns = self.table.select(list(SOUND_COLUMNS)).slice(row, 1).to_pylist()[0]
        return sound_from(columns, self.samples(row))

    def waveform(self, row: int, hearing: Hearing = OURS) -> NDArray[np.float32]:
        """What a method hears of a clip, `(n,)` at 16 kHz in [-1, 1]; empty where there is no sound."""
        return heard(self.sound(row), float(self.duration[row]), hearing)

    def verify(self, shard: int) -> None:
        """Raises `BenchError` unless a shard's files have the contents that were written."""
        files = {name: self.manifest.files[name] for name in shard_files(shard)}
        for name, (_, sum) in {**files, **(self.large.files_of(shard) if self.large else {})}.items():
            if checksum(self.folder / name) != sum:
                raise BenchError(f"{self.folder / name} is damaged; {REMAKE}")

    def verify_rows(self, rows: Sequence[int]) -> None:
        """Verifies the shards of some rows that this process has not verified yet; raises as `verify`."""
        for shard in sorted({row // self.manifest.shard for row in rows} - self._verified):
            self.verify(shard)
            self._verified.add(shard)

    def _shard(self, row: int, kind: int) -> NDArray[Any]:
        name = shard_files(row // self.manifest.shard)[kind]
        if name not in self._shards:
            # Copy-on-write: torch warns about memory that is not writable, and nothing is ever written.
            self._shards[name] = np.load(self.folder / name, mmap_mode="c")
        return self._shards[name]
