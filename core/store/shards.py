"""One shard of a store: some clips decoded, their pixels, sounds and table written whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.dataset import Video
from core.media.hearing import heard
from core.media.media import Clip, Frames, MediaError, decode_clip
from core.media.waveform import no_sound
from core.paths import written_whole
from core.store.decoding import bounded
from core.store.storage import SAMPLE_SCALE, StoreSettings, shard_files
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


def write_shard(
    shard: Shard,
    begin: Begin,
    *,
    decode: Decode,
    settings: StoreSettings,
    folder: Path,
    keep_undecodable: bool,
) -> list[str]:
    """Decodes and writes a shard; each clip is a step, for FFmpeg may crash or hang over it.

    Where clips fail and are not to be kept nothing is written, and their errors are returned.
    """
    clips: list[Clip] = []
    failures: list[str] = []
    for video in shard.videos:
        try:
            if video.id in shard.lost:
                raise MediaError(video.path, shard.lost[video.id])
            begin(video.id)
            with bounded(video):
                clips.append(decode(video, settings))
        except MediaError as error:
            if keep_undecodable:
                clips.append(_blank(settings, error.reason))
            else:
                failures.append(str(error))
    begin("")
    if failures:
        return failures
    waveforms = [heard(clip.sound, clip.frames.duration) for clip in clips]
    sounds = [np.rint(waveform.clip(-1, 1) * SAMPLE_SCALE).astype(np.int16) for waveform in waveforms]
    pixels = [clip.frames.pixels.reshape(-1) for clip in clips]
    for name, arrays in zip(shard_files(shard.number), (pixels, sounds), strict=True):
        with written_whole(folder / name) as temporary, temporary.open("wb") as file:
            _save_joined(file, arrays)
    rows = [
        _row(video, clip, int(first), int(start), sound.size)
        for video, clip, first, start, sound in zip(
            shard.videos, clips, _offsets(pixels), _offsets(sounds), sounds, strict=True
        )
    ]
    with written_whole(folder / shard_table(shard.number)) as temporary:
        pq.write_table(pa.Table.from_pylist(rows), temporary)
    return []


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
