"""Frame embeddings and audio states of a whole store, computed once and memory-mapped.

Picture and sound are cached apart, each under the fingerprints of the store and of its own weights, so
another audio encoder does not encode the pictures again. Work goes in shards, each at its place in one
flat file, which takes its name when all are there.
"""

import math
import os
import shutil
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from core.batch import Videos, stable_keys
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.errors import BenchError
from core.paths import require_space, written_whole
from core.progress import Progress, bytes_in_words
from core.storage import Store
from core.workers import in_workers

VERSION = 1
"""Raised whenever the same weights would give other features."""

SOUND_BATCH = 8
"""Clips per batch of the audio encoder: beyond this a CPU's caches are too small."""


@dataclass(frozen=True)
class Features:
    """What the backbones make of a store; rows are the store's."""

    frames: NDArray[np.float32]
    """`(V, F, D)` memory-mapped."""
    frame_mask: Tensor
    """`(V, F)` bool."""
    keys: Tensor
    """`(V,)` int64 stable key of each clip."""
    has_audio: Tensor
    """`(V,)` bool."""
    audio: NDArray[np.float16] | None
    """`(V, L, Da)` memory-mapped; None where the run has no sound."""
    audio_valid: Tensor | None
    """`(V,)` int64: states inside the clip."""
    fingerprint: str
    """64 hexadecimal digits over the store and the weights."""

    @property
    def audio_width(self) -> int | None:
        """Da; None where the run has no sound."""
        return None if self.audio is None else self.audio.shape[2]

    def videos(self, rows: Tensor) -> Videos:
        """The clips of some rows `(B,)`, as float32 tensors on the CPU."""
        chosen = rows.cpu()
        if self.audio is None or self.audio_valid is None:
            return Videos(self._frames(chosen), self.frame_mask[chosen], self.keys[chosen])
        return Videos(
            self._frames(chosen),
            self.frame_mask[chosen],
            self.keys[chosen],
            torch.from_numpy(self.audio[chosen.numpy()]).float(),
            self.audio_valid[chosen],
            self.has_audio[chosen],
        )

    def _frames(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(self.frames[rows.numpy()])


def encode_store(
    store: Store,
    clip: ClipBackbone,
    audio: AudioEncoder | None,
    cache_folder: Path,
    *,
    workers: int,
    progress: Progress,
    device: torch.device | str,
) -> Features:
    """The features of a store, computed where `cache_folder` does not hold them.

    On a CPU `workers` processes of one thread each share the work; on CUDA this process does it.
    Clips with identical frames get bit-identical features. Raises `BenchError` where the store is
    damaged or the disk is too full.
    """
    cache_folder.mkdir(parents=True, exist_ok=True)
    pictures = _cached(_Pictures(store, clip, str(device)), cache_folder, workers, progress)
    if audio is not None:
        sounds = _cached(_Sounds(store, audio, str(device)), cache_folder, workers, progress)
        valid = torch.tensor([audio.valid_states(float(duration)) for duration in store.duration])
    weights = f"{clip.fingerprint} {audio.fingerprint if audio else 'no sound'}"
    return Features(
        frames=pictures,
        frame_mask=torch.from_numpy(store.mask.copy()),
        keys=stable_keys(store.ids),
        has_audio=torch.from_numpy(store.has_audio.copy()),
        audio=sounds if audio else None,
        audio_valid=valid if audio else None,
        fingerprint=sha256(f"{VERSION} {store.fingerprint} {weights}".encode()).hexdigest(),
    )


@dataclass(frozen=True)
class _Pictures:
    """Encodes the frames of a shard of clips; picklable, for worker processes."""

    store: Store
    clip: ClipBackbone
    device: str
    what: ClassVar[str] = "pictures"
    dtype: ClassVar[type[np.generic]] = np.float32

    @property
    def weights(self) -> str:
        return self.clip.fingerprint

    @property
    def shape(self) -> tuple[int, int]:
        return self.store.settings.frames, self.clip.width

    @torch.inference_mode()
    def __call__(self, shard: int) -> NDArray[np.float32]:
        # One clip is one batch, and equal pixels are encoded once: rounding depends on a batch's shape.
        self.clip.model.to(self.device).eval()
        known: dict[bytes, NDArray[np.float32]] = {}
        found = []
        self.store.verify(shard)
        for row in self.store.rows(shard):
            pixels = self.store.frames(row)
            key = sha256(pixels.data).digest() + self.store.mask[row].tobytes()
            if key not in known:
                frames = torch.from_numpy(pixels).to(self.device)
                mask = torch.from_numpy(self.store.mask[row]).to(self.device)
                known[key] = self.clip.encode_images(frames, mask).float().cpu().numpy()
            found.append(known[key])
        return np.stack(found)


@dataclass(frozen=True)
class _Sounds:
    """Encodes the sounds of a shard of clips; picklable, for worker processes."""

    store: Store
    audio: AudioEncoder
    device: str
    what: ClassVar[str] = "sounds"
    dtype: ClassVar[type[np.generic]] = np.float16

    @property
    def weights(self) -> str:
        return self.audio.fingerprint

    @property
    def shape(self) -> tuple[int, int]:
        return self.audio.positions, self.audio.width

    def __call__(self, shard: int) -> NDArray[np.float16]:
        torch.nn.Module.to(self.audio.encoder, self.device)
        self.store.verify(shard)
        rows = self.store.rows(shard)
        blocks = []
        for first in range(0, len(rows), SOUND_BATCH):
            chosen = rows[first : first + SOUND_BATCH]
            waveforms = [self.store.waveform(row) for row in chosen]
            states, _ = self.audio.states(waveforms, [float(self.store.duration[row]) for row in chosen])
            blocks.append(states.half().cpu().numpy())
        return np.concatenate(blocks)


def _cached(encode: _Pictures | _Sounds, folder: Path, workers: int, progress: Progress) -> NDArray[Any]:
    """The memory-mapped features `(V, ...)`, encoded where the cache does not hold them."""
    key = sha256(f"{VERSION} {encode.store.fingerprint} {encode.weights}".encode()).hexdigest()[:24]
    file = folder / f"{encode.what}-{key}.npy"
    shape = (len(encode.store), *encode.shape)
    with FileLock(folder / f"{encode.what}-{key}.lock"):  # another command may want the same features
        if not file.exists():
            _encode_all(encode, shape, file, 1 if "cuda" in encode.device else workers, progress)
    try:
        features: NDArray[Any] = np.load(file, mmap_mode="c")
    except (OSError, ValueError) as error:
        raise BenchError(f"{file} is damaged; delete it and run again, it will be written anew") from error
    if (features.shape, features.dtype) != (shape, np.dtype(encode.dtype)):
        raise BenchError(
            f"{file} is damaged: it holds {features.dtype} {features.shape}; delete it and run again"
        )
    return features


def _encode_all(
    encode: _Pictures | _Sounds, shape: tuple[int, ...], file: Path, workers: int, progress: Progress
) -> None:
    """Encodes the missing shards into one file, which takes its name when all are there."""
    growing, done = file.with_suffix(".growing"), file.with_suffix(".done")
    store, size = encode.store, math.prod(shape) * np.dtype(encode.dtype).itemsize
    if not growing.exists():
        shutil.rmtree(done, ignore_errors=True)
        with written_whole(growing) as temporary:
            np.lib.format.open_memmap(temporary, "w+", encode.dtype, shape)
    done.mkdir(exist_ok=True)
    missing = [shard for shard in store.shards if not (done / str(shard)).exists()]
    clips = sum(len(store.rows(shard)) for shard in missing)
    needed = size * clips / len(store)
    progress.say(f"encoding {encode.what} of {clips:,} clips once: {bytes_in_words(needed)} in {file.parent}")
    require_space(file.parent, needed)
    with progress.task(f"encoding {encode.what}", clips) as advance:
        for shard, _ in in_workers(partial(_write_part, encode, growing, done), missing, workers):
            advance(len(store.rows(shard)), "")
    os.replace(growing, file)
    shutil.rmtree(done)


def _write_part(encode: _Pictures | _Sounds, growing: Path, done: Path, shard: int) -> None:
    """Writes a shard's features to their place; not through the map, where a full disk would kill."""
    features = encode(shard)
    first = np.load(growing, mmap_mode="r").offset + encode.store.rows(shard).start * features[0].nbytes
    with growing.open("r+b") as file:
        file.seek(first)
        file.write(features.data)
        file.flush()
        os.fsync(file.fileno())
    (done / str(shard)).touch()
