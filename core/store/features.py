"""Frame embeddings, audio states and what else methods ask for, of a whole store, once and memory-mapped.

Each kind is cached apart, under the fingerprints of the store and of its own weights, so another audio
encoder does not encode the pictures again. Work goes in shards, each at its place in one flat file, which
takes its name when all are there.
"""

import math
import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from core.batch import Videos, stable_keys
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.errors import BenchError
from core.media.hearing import OURS, Hearing
from core.paths import remove_leftovers, require_space, require_writable, sync, written_whole
from core.progress import Progress, bytes_in_words
from core.store.caption_features import CaptionStates
from core.store.feature_encoders import FeatureEncoder, Patches, Pictures, ReleasedSounds, Sounds
from core.store.feature_rows import KnownRows, family_of, known_rows, taken_row, write_keys
from core.store.feature_sums import damaged_shards, read_sums, shard_sums, write_sums
from core.store.speech_features import SpeechStates, Transcripts
from core.store.storage import Store
from core.store.video_captions import VideoCaption
from core.workers import in_workers


@dataclass(frozen=True)
class Features:
    """What the backbones make of a store; rows are the store's."""

    frames: NDArray[np.float32]
    """`(V, F, D)` memory-mapped; NaN where the image tower trains and reads pixels instead."""
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
    """64 hexadecimal digits over the store, the weights and the video-side captions."""
    patches: NDArray[np.float16] | None = None
    """`(V, F, P, D)` memory-mapped, for methods that ask for them: 2 F P D bytes a clip, 0.6 MB with
    ViT-B/32 and 12 frames (6 GB for MSR-VTT's 10,000 clips), 49 kB on the embedded world. NaN like frames."""
    captions: NDArray[np.float16] | None = None
    """`(V, 2, Lc, D)` memory-mapped states of the video-side captions; None where none are read."""
    caption_mask: Tensor | None = None
    """`(V, 2, Lc)` bool, with `captions`."""
    speech: NDArray[np.float16] | None = None
    """`(V, Ls, D)` memory-mapped states of what is said in the clips; None where none are read."""
    speech_tokens: Tensor | None = None
    """`(V, Ls)` int64 token rows of the same, zeros without a transcript."""
    teacher: Tensor | None = None
    """`(V, 2, E)` what a frozen pair of encoders makes of picture and sound; None where none is named."""

    @property
    def audio_width(self) -> int | None:
        """Da; None where the run has no sound."""
        return None if self.audio is None else self.audio.shape[2]

    def videos(self, rows: Tensor) -> Videos:
        """The clips of some rows `(B,)` on the CPU: float32, but patches, captions and speech as kept."""
        chosen = rows.cpu()
        audio = _rows_of(self.audio, chosen)
        return Videos(
            frames=torch.from_numpy(self.frames[chosen.numpy()]),
            frame_mask=self.frame_mask[chosen],
            keys=self.keys[chosen],
            audio=None if audio is None else audio.float(),
            audio_valid=None if self.audio_valid is None else self.audio_valid[chosen],
            has_audio=None if audio is None else self.has_audio[chosen],
            patches=_rows_of(self.patches, chosen),
            captions=_rows_of(self.captions, chosen),
            caption_mask=None if self.caption_mask is None else self.caption_mask[chosen],
            speech=_rows_of(self.speech, chosen),
            teacher=None if self.teacher is None else self.teacher[chosen],
        )


def _rows_of(features: NDArray[Any] | None, rows: Tensor) -> Tensor | None:
    """A copy of some rows, in the precision that is kept; None for None."""
    return None if features is None else torch.from_numpy(features[rows.numpy()])


def encode_store(
    store: Store,
    clip: ClipBackbone,
    audio: AudioEncoder | None,
    cache_folder: Path,
    *,
    workers: int,
    progress: Progress,
    device: torch.device | str,
    pictures: bool = True,
    patches: bool = False,
    captions: Mapping[str, VideoCaption] | None = None,
    speech: Transcripts | None = None,
    audio_states: Mapping[str, Path] | None = None,
    hearing: Hearing = OURS,
) -> Features:
    """The features of a store, computed where `cache_folder` does not hold them.

    `patches` asks for patch tokens. Without `pictures` neither frames nor patches are encoded: a tower that
    trains reads pixels, and whoever reads its features all the same reads NaN. `captions` are video-side
    captions by the video's name, `speech` is what is said in the clips, `audio_states` files of states that
    stand in for the sound and for running `audio`. On a CPU `workers` processes of one thread each share the
    work; on CUDA this process does it. Clips with identical frames get bit-identical features. Cached shards
    that have changed since they were written are named and encoded again.
    Raises `BenchError` where the store is damaged, the disk is too full, or states are not those of `audio`.
    """
    cached, place = partial(_cached, folder=cache_folder, workers=workers, progress=progress), str(device)
    see = Pictures(store, place, clip)
    seen = cached if pictures else _unread
    if audio is not None:
        hear = sounds_of(store, place, audio, audio_states, hearing)
        sounds = cached(hear)
        valid = torch.tensor([audio.valid_states(float(duration)) for duration in store.duration])
    heard = store.has_audio.copy() if audio_states is None else np.isin(store.ids, list(audio_states))
    said = None if captions is None else CaptionStates.of(captions, store, clip, place)
    spoken = None if speech is None else SpeechStates.of(speech, store, clip, place)
    used = [see, *([hear] if audio else []), *([said] if said else []), *([spoken] if spoken else [])]
    return Features(
        frames=seen(see),
        frame_mask=torch.from_numpy(store.mask.copy()),
        keys=stable_keys(store.ids),
        has_audio=torch.from_numpy(heard),
        audio=sounds if audio else None,
        audio_valid=valid if audio else None,
        fingerprint=sha256(" ".join((store.fingerprint, *map(feature_key, used))).encode()).hexdigest(),
        patches=seen(Patches(store, place, clip)) if patches else None,
        captions=cached(said) if said else None,
        caption_mask=said.mask if said else None,
        speech=cached(spoken) if spoken else None,
        speech_tokens=spoken.tokens if spoken else None,
    )


def sounds_of(
    store: Store, device: str, audio: AudioEncoder, files: Mapping[str, Path] | None, hearing: Hearing
) -> Sounds | ReleasedSounds:
    """What gives the states of a store's sounds: the encoder, or files by the clip's name."""
    if files is None:
        return Sounds(store, device, audio, hearing)
    return ReleasedSounds(store, device, audio.name, (audio.positions, audio.width), files)


def feature_key(encode: FeatureEncoder) -> str:
    """64 hexadecimal digits over all that the features of a store depend on."""
    return sha256("\n".join((family_of(encode), *encode.row_keys())).encode()).hexdigest()


def _unread(encode: FeatureEncoder) -> NDArray[Any]:
    """Features `(V, ...)` of NaN, which take no memory."""
    return np.broadcast_to(np.array(np.nan, encode.dtype), (len(encode.store), *encode.shape))


def _cached(encode: FeatureEncoder, folder: Path, workers: int, progress: Progress) -> NDArray[Any]:
    """The memory-mapped features `(V, ...)`, encoded where the cache does not hold them."""
    key = feature_key(encode)[:24]
    file = folder / f"{encode.what}-{key}.npy"
    shape = (len(encode.store), *encode.shape)
    if file.exists() and not os.access(folder, os.W_OK):
        _require_sound(encode, shape, file)
    else:
        require_writable(folder)
        with FileLock(folder / f"{encode.what}-{key}.lock"):  # another command may want the same features
            if file.exists():
                _set_damaged_aside(encode, shape, file, progress)
            if not file.exists():
                _encode_all(encode, shape, file, 1 if "cuda" in encode.device else workers, progress)
    features: NDArray[Any] = np.load(file, mmap_mode="c")
    return features


def _require_sound(encode: FeatureEncoder, shape: tuple[int, ...], file: Path) -> None:
    """Raises `BenchError` where a file in a cache that is read-only has changed since it was written."""
    rows = [encode.store.rows(shard) for shard in encode.store.shards]
    sums = read_sums(file, len(rows))
    if not _has_shape(encode, shape, file) or (sums and damaged_shards(file, sums, rows)):
        raise BenchError(
            f"{file} is damaged, and its folder is read-only; repair it or set BENCH_CACHE to another folder"
        )


def _set_damaged_aside(
    encode: FeatureEncoder, shape: tuple[int, ...], file: Path, progress: Progress
) -> None:
    """Says which shards of a file have changed since they were written, and has them encoded again."""
    rows = [encode.store.rows(shard) for shard in encode.store.shards]
    if not _has_shape(encode, shape, file):
        progress.say(f"{file} is damaged; it is written anew")
        file.unlink()
        return
    sums = read_sums(file, len(rows))
    if sums is None:
        progress.say(f"{file} has no checksums; they are taken from it as it is")
        write_sums(file, shard_sums(file, rows))
        return
    damaged = damaged_shards(file, sums, rows)
    if not damaged:
        return
    names = ", ".join(map(str, damaged[:10])) + (", ..." if len(damaged) > 10 else "")
    progress.say(
        f"{file} is damaged in {len(damaged)} of {len(rows)} shards ({names}); they are written anew"
    )
    done = file.with_suffix(".done")
    shutil.rmtree(done, ignore_errors=True)
    done.mkdir()
    for shard in set(range(len(rows))) - set(damaged):
        (done / str(shard)).write_text(str(sums.shards[shard]))
    os.replace(file, file.with_suffix(".growing"))


def _has_shape(encode: FeatureEncoder, shape: tuple[int, ...], file: Path) -> bool:
    try:
        features = np.load(file, mmap_mode="r")
    except (OSError, ValueError):
        return False
    return (features.shape, features.dtype) == (shape, np.dtype(encode.dtype))


def _encode_all(
    encode: FeatureEncoder, shape: tuple[int, ...], file: Path, workers: int, progress: Progress
) -> None:
    """Encodes the missing shards into one file, which takes its name when all are there."""
    growing, done = file.with_suffix(".growing"), file.with_suffix(".done")
    store, size = encode.store, math.prod(shape) * np.dtype(encode.dtype).itemsize
    if not growing.exists():
        shutil.rmtree(done, ignore_errors=True)
        remove_leftovers(growing.parent, growing.name)
        with written_whole(growing) as temporary:
            np.lib.format.open_memmap(temporary, "w+", encode.dtype, shape)
    done.mkdir(exist_ok=True)
    known = known_rows(encode, file)
    missing = [shard for shard in store.shards if not _is_marked(done / str(shard))]
    clips = sum(len(store.rows(shard)) for shard in missing)
    needed = size * clips / len(store)
    fresh = sum(row not in known for shard in missing for row in store.rows(shard))
    taken = f"; those of {clips - fresh:,} are known" if fresh < clips else ""
    progress.say(
        f"encoding {encode.what} of {fresh:,} clips once: {bytes_in_words(needed)} in {file.parent}{taken}"
    )
    require_space(file.parent, needed)
    with progress.task(f"encoding {encode.what}", clips) as advance:
        for shard, _ in in_workers(partial(_write_part, encode, growing, done, known), missing, workers):
            advance(len(store.rows(shard)), "")
    values = [int((done / str(shard)).read_text()) for shard in store.shards]
    os.replace(growing, file)
    write_keys(encode, file)
    write_sums(file, values)
    sync(file.parent)
    shutil.rmtree(done)


def _write_part(encode: FeatureEncoder, growing: Path, done: Path, known: KnownRows, shard: int) -> None:
    """Writes a shard's features to their place; not through the map, where a full disk would kill."""
    rows = encode.store.rows(shard)
    features = np.empty((len(rows), *encode.shape), encode.dtype)
    if fresh := [row for row in rows if row not in known]:
        features[[row - rows.start for row in fresh]] = encode(fresh)
    for row in known.keys() & set(rows):
        features[row - rows.start] = taken_row(known[row])
    first = np.load(growing, mmap_mode="r").offset + rows.start * features[0].nbytes
    with growing.open("r+b") as file:
        file.seek(first)
        file.write(features.data)
        file.flush()
        os.fsync(file.fileno())
    with written_whole(done / str(shard)) as temporary:
        temporary.write_text(str(zlib.crc32(features.data)))


def _is_marked(mark: Path) -> bool:
    """Whether a shard is done and its checksum known."""
    return mark.is_file() and mark.read_text().isdigit()
