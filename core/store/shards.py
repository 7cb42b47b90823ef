"""One shard of a store: some clips decoded, their planes, sounds and table written whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.data_options import Resize
from core.dataset import Video
from core.media.hearing import heard
from core.media.media import Clip, Frames, MediaError, decode_clip
from core.media.pictures import pixels_of
from core.media.waveform import no_sound
from core.paths import written_whole
from core.store.decoding import bounded
from core.store.large import DTYPES, Place, Places, data_file, is_large, places_file
from core.store.storage import LAYOUT, SAMPLE_SCALE, StoreSettings, shard_files
from core.workers import Begin

Decode = Callable[[Video, StoreSettings], Clip]
"""How a video is decoded, e.g. `decode`."""


@dataclass(frozen=True)
class Shard:
    """Clips whose files are written together."""

    number: int
    """Position among the shards of its store."""
    videos: tuple[Video, ...]
    """Its clips, in the store's order."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Name of a clip whose decoding has cost processes -> how they ended; it is not tried again."""


def shard_table(number: int) -> str:
    """Name of a shard's table, which is written last."""
    return f"clips-{number:05d}.parquet"


def decode(video: Video, settings: StoreSettings) -> Clip:
    """Frames and sound of a video; raises `MediaError` where no frame decodes."""
    return decode_clip(
        video.path,
        sampling=settings.sampling,
        frames=settings.frames,
        size=settings.size,
        start=video.start,
        end=video.end,
        sound=video.sound,
        reader=settings.reader,
    )


def _blank(settings: StoreSettings, reason: str) -> Clip:
    """What stands in the store for a clip that does not decode: no frame is real, there is no sound."""
    frames = Frames(
        [None] * settings.frames,
        settings.size,
        "flagged",
        np.zeros(settings.frames, np.float32),
        np.zeros(settings.frames, np.bool_),
        duration=0.0,
        fps=0.0,
    )
    return Clip(frames, no_sound("undecodable", reason))


@dataclass(frozen=True)
class Kept:
    """What is kept of a clip."""

    clip: Clip
    """As it decoded; without pictures where they are large."""
    planes: NDArray[np.uint8]
    """Of all frames end to end; empty where they are large, or nothing decoded."""
    large: NDArray[Any] | None
    """`(F, h, w, 3)` of a large clip under one resize."""


def keep(clip: Clip, resize: Resize) -> Kept:
    """The planes of a clip's frames, or their resized pixels where it is large; empty slots are zeros."""
    frames = clip.frames
    pictures = [picture for picture in frames.pictures if picture is not None]
    if pictures and is_large(pictures, frames.size):
        return Kept(replace(clip, frames=replace(frames, pictures=[None])), NOTHING, small(frames, resize))
    size = pictures[0].layout.size if pictures else 0
    planes = np.zeros((len(frames.pictures), size), np.uint8)
    for slot, picture in enumerate(frames.pictures):
        if picture is not None:
            planes[slot] = picture.data
    return Kept(clip, planes.reshape(-1), None)


def small(frames: Frames, resize: Resize) -> NDArray[Any]:
    """The resized frames of a large clip as they are kept."""
    pixels: NDArray[Any] = pixels_of(frames.pictures, frames.size, resize, frames.colours).numpy()
    return pixels.astype(DTYPES[resize])


NOTHING: NDArray[np.uint8] = np.zeros(0, np.uint8)


def write_shard(
    shard: Shard,
    begin: Begin,
    *,
    decode: Decode,
    settings: StoreSettings,
    resize: Resize,
    folder: Path,
    keep_undecodable: bool,
) -> list[str]:
    """Decodes and writes a shard; each clip is a step, for FFmpeg may crash or hang over it.

    Where clips fail and are not to be kept nothing is written, and their errors are returned.
    """
    clips: list[Kept] = []
    failures: list[str] = []
    for video in shard.videos:
        try:
            if video.id in shard.lost:
                raise MediaError(video.path, shard.lost[video.id])
            begin(video.id)
            with bounded(video):
                clips.append(keep(decode(video, settings), resize))
        except MediaError as error:
            if keep_undecodable:
                clips.append(keep(_blank(settings, error.reason), resize))
            else:
                failures.append(str(error))
    begin("")
    if failures:
        return failures
    large = {v.id: kept.large for v, kept in zip(shard.videos, clips, strict=True) if kept.large is not None}
    write_large(shard.number, large, resize, folder)
    waveforms = [heard(kept.clip.sound, kept.clip.frames.duration) for kept in clips]
    sounds = [np.rint(waveform.clip(-1, 1) * SAMPLE_SCALE).astype(np.int16) for waveform in waveforms]
    planes = [kept.planes for kept in clips]
    for name, arrays in zip(shard_files(shard.number), (planes, sounds), strict=True):
        with written_whole(folder / name) as temporary, temporary.open("wb") as file:
            _save_joined(file, arrays)
    rows = [
        _row(video, kept, int(first), int(start), sound.size)
        for video, kept, first, start, sound in zip(
            shard.videos, clips, _offsets(planes), _offsets(sounds), sounds, strict=True
        )
    ]
    with written_whole(folder / shard_table(shard.number)) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), temporary)
    return []


def write_large_again(
    shard: Shard, begin: Begin, *, decode: Decode, settings: StoreSettings, resize: Resize, folder: Path
) -> list[str]:
    """Decodes the large clips of a shard, which are all its videos, for another resize.

    Where one fails nothing is written, and the errors are returned.
    """
    found: dict[str, NDArray[Any]] = {}
    failures: list[str] = []
    for video in shard.videos:
        try:
            if video.id in shard.lost:
                raise MediaError(video.path, shard.lost[video.id])
            begin(video.id)
            with bounded(video):
                found[video.id] = small(decode(replace(video, sound="none"), settings).frames, resize)
        except MediaError as error:
            failures.append(str(error))
    begin("")
    if not failures:
        write_large(shard.number, found, resize, folder)
    return failures


def write_large(shard: int, clips: Mapping[str, NDArray[Any]], resize: Resize, folder: Path) -> None:
    """Writes the resized frames of a shard's large clips, and last where they are; nothing for none."""
    if not clips:
        return
    arrays = [clip.reshape(-1) for clip in clips.values()]
    with written_whole(folder / data_file(resize, shard)) as temporary, temporary.open("wb") as file:
        _save_joined(file, arrays)
    places = {
        id: Place(shard=shard, at=int(at), shape=clip.shape)
        for (id, clip), at in zip(clips.items(), _offsets(arrays), strict=True)
    }
    with written_whole(folder / places_file(resize, shard)) as temporary:
        temporary.write_text(Places(clips=places).model_dump_json(), encoding="utf-8")


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


def _row(video: Video, kept: Kept, pixels_at: int, sound_at: int, samples: int) -> dict[str, object]:
    clip = kept.clip
    frames = clip.frames
    layout = next((asdict(picture.layout) for picture in frames.pictures if picture is not None), NO_LAYOUT)
    return {
        "id": video.id,
        **layout,
        "large": kept.large is not None,
        "pixels_at": pixels_at,
        "sound_at": sound_at,
        "samples": samples,
        "duration": np.float32(frames.duration),
        "times": frames.times,
        "mask": frames.mask,
        "status": clip.sound.status,
        "reason": clip.sound.reason,
    }


NO_LAYOUT: Mapping[str, object] = {name: "" if name == "format" else 0 for name in LAYOUT}


def _schema() -> pa.Schema:
    """Types of the columns, whatever the rows hold."""
    return pa.schema(
        [
            ("id", pa.string()),
            *((name, pa.string() if name == "format" else pa.int64()) for name in LAYOUT),
            ("large", pa.bool_()),
            *((name, pa.int64()) for name in ("pixels_at", "sound_at", "samples")),
            ("duration", pa.float32()),
            ("times", pa.list_(pa.float32())),
            ("mask", pa.list_(pa.bool_())),
            ("status", pa.string()),
            ("reason", pa.string()),
        ]
    )
