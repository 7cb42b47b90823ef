"""What encodes a shard of a store's clips: pictures, patches, sounds."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.encoders.released_states import read_states, states_digest
from core.media.hearing import OURS, Hearing
from core.store.storage import Store

SOUND_BATCH = 8
"""Clips per batch of the audio encoder: beyond this a CPU's caches are too small."""


@dataclass(frozen=True)
class FeatureEncoder(ABC):
    """Encodes a shard of clips; picklable, for worker processes."""

    what: ClassVar[str]
    """Names the file, and the work while it runs."""
    dtype: ClassVar[type[np.generic]]
    """In which features are kept."""
    store: Store
    """Whose clips."""
    device: str
    """Where the encoder runs."""

    @property
    @abstractmethod
    def weights(self) -> str:
        """What features depend on beside what the store has of a clip."""

    @abstractmethod
    def row_keys(self) -> list[str]:
        """Of each row of the store what its features depend on: equal keys have equal features."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of a clip's features."""

    @abstractmethod
    def __call__(self, rows: Sequence[int]) -> NDArray[Any]:
        """The features of some rows of the store, one after the other."""


@dataclass(frozen=True)
class Pictures(FeatureEncoder):
    """Embeddings of the frames, `(F, D)` a clip."""

    what = "pictures"
    dtype: ClassVar[type[np.generic]] = np.float32
    clip: ClipBackbone

    @property
    def weights(self) -> str:
        """Fingerprint of both towers."""
        return self.clip.fingerprint

    def row_keys(self) -> list[str]:
        """Frames as they decoded, and how they become pixels."""
        settings = self.store.settings
        kept = "" if settings.frames_as == "raw" else f" {settings.frames_as}"
        how = f"{settings.size} {settings.reader} {self.store.resize}{kept}"
        return [f"{seen} {how}" for seen in self.store.seen]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(F, D)`."""
        return self.store.settings.frames, self.clip.width

    def encode(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """A clip's features from its frames `(F, h, w, 3)` in 0 to 255, of which `mask` `(F,)` are real."""
        return self.clip.encode_images(pixels, mask)

    @torch.inference_mode()
    def __call__(self, rows: Sequence[int]) -> NDArray[Any]:
        """Equal frames get equal bits."""
        # One clip is one batch, and equal pixels are encoded once: rounding depends on a batch's shape.
        self.clip.model.to(self.device).eval()
        known: dict[bytes, NDArray[Any]] = {}
        found = []
        self.store.verify_rows(rows)
        for row in rows:
            pixels = self.store.pixels(row)
            key = sha256(pixels.numpy().data).digest() + self.store.mask[row].tobytes()
            if key not in known:
                frames = pixels.to(self.device)
                mask = torch.from_numpy(self.store.mask[row]).to(self.device)
                known[key] = self.encode(frames, mask).float().cpu().numpy().astype(self.dtype)
            found.append(known[key])
        return np.stack(found)


class Patches(Pictures):
    """Patch tokens of the frames, `(F, P, D)` a clip."""

    what = "patches"
    dtype = np.float16

    @property
    def shape(self) -> tuple[int, ...]:
        """`(F, P, D)`."""
        return self.store.settings.frames, self.clip.patches, self.clip.width

    def encode(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """As for pictures, patch by patch."""
        return self.clip.encode_image_tokens(pixels, mask)[:, 1:]


@dataclass(frozen=True)
class Sounds(FeatureEncoder):
    """States of the sound, `(L, Da)` a clip."""

    what = "sounds"
    dtype = np.float16
    audio: AudioEncoder
    hearing: Hearing = OURS

    @property
    def weights(self) -> str:
        """Fingerprint of the audio encoder."""
        return self.audio.fingerprint

    def row_keys(self) -> list[str]:
        """The sound, and how and for how long it is heard."""
        how = f"{self.hearing.channels} {self.hearing.end}"
        clips = zip(self.store.heard, self.store.duration.tolist(), strict=True)
        return [f"{heard} {duration} {how}" for heard, duration in clips]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(L, Da)`."""
        return self.audio.positions, self.audio.width

    def __call__(self, rows: Sequence[int]) -> NDArray[np.float16]:
        """Silent clips get zeros."""
        torch.nn.Module.to(self.audio.encoder, self.device)
        self.store.verify_rows(rows)
        blocks = []
        for first in range(0, len(rows), SOUND_BATCH):
            chosen = rows[first : first + SOUND_BATCH]
            waveforms = [self.store.waveform(row, self.hearing) for row in chosen]
            states, _ = self.audio.states(waveforms, [float(self.store.duration[row]) for row in chosen])
            blocks.append(states.half().cpu().numpy())
        return np.concatenate(blocks)


@dataclass(frozen=True)
class ReleasedSounds(FeatureEncoder):
    """States of the sound that were encoded elsewhere, `(L, Da)` a clip."""

    what = "sounds"
    dtype = np.float16
    encoder: str
    """Name of the audio encoder that they should come from."""
    states: tuple[int, int]
    """Its L and Da."""
    files: Mapping[str, Path]
    """By the clip's name; a clip without has no sound."""

    @cached_property
    def weights(self) -> str:
        """The encoder, and the shape that its states must have."""
        return f"{self.encoder} {self.states}"

    def row_keys(self) -> list[str]:
        """Digest of each clip's file."""
        found = ({id: self.files[id]} if id in self.files else {} for id in self.store.ids)
        return [states_digest(files) for files in found]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(L, Da)`."""
        return self.states

    def __call__(self, rows: Sequence[int]) -> NDArray[np.float16]:
        """Clips without a file get zeros; raises `BenchError` for a file with other states."""
        found = np.zeros((len(rows), *self.shape), np.float16)
        for place, row in enumerate(rows):
            if path := self.files.get(self.store.ids[row]):
                found[place] = read_states(path, self.encoder, *self.states).numpy()
        return found
