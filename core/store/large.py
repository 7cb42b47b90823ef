"""The resized frames of a store's large clips, kept per resize because their planes would take much space.

`resized-RESIZE-NNNNN.npy` holds those of a shard end to end, `resized-RESIZE.json`, which is written last,
says where each clip's begin. A store without large clips has neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from core.checksums import checksum
from core.data_options import Resize
from core.errors import BenchError
from core.media.pictures import Picture
from core.media.resizing import resized_shape
from core.paths import written_whole
from core.store.jpeg import decoded_frames

SPACE = 2.0
"""Planes are kept where they take at most so many times the bytes of the resized frames."""
DTYPES: dict[Resize, type[np.generic]] = {
    "antialiased": np.uint8,
    "tensor": np.float16,
    "tensor-antialiased": np.float16,
}
"""In which resized frames are kept; halves of 0 to 255 are off by .014 on average, at most .125."""


class LargePlace(BaseModel):
    """Where the frames of a large clip are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shard: int
    """Number of the shard."""
    at: int
    """Number of its first value in the shard's file."""
    shape: tuple[int, int, int, int]
    """`(F, h, w, 3)`."""
    jpeg_bytes: tuple[int, ...] = ()
    """`(F,)` bytes of each frame's JPEG file, 0 for an empty slot; none where frames are raw."""
    jpeg_error: float | None = None
    """See `core.store.jpeg`; None where frames are raw."""


@dataclass(frozen=True)
class Resized:
    """The resized frames of a large clip as they are kept."""

    data: NDArray[Any]
    """Their values end to end, or their JPEG files."""
    shape: tuple[int, int, int, int]
    """`(F, h, w, 3)`."""
    jpeg_bytes: tuple[int, ...] = ()
    jpeg_error: float | None = None

    def pixels(self) -> NDArray[Any]:
        """`(F, h, w, 3)`, black in empty slots."""
        if not self.jpeg_bytes:
            return self.data.reshape(self.shape)
        black = np.zeros(self.shape[1:], np.uint8)
        files = decoded_frames(self.data, self.jpeg_bytes)
        return np.stack([black if frame is None else frame for frame in files])


class Places(BaseModel):
    """What says where a shard's clips are, until the manifest is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clips: dict[str, LargePlace]
    """By the clip's name."""


class LargeManifest(BaseModel):
    """What `resized-RESIZE.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clips: dict[str, LargePlace]
    """By the clip's name."""
    files: dict[str, tuple[int, int]]
    """Size in bytes and CRC-32 of each file."""


@dataclass(frozen=True)
class Large:
    """The large clips of a store under one resize."""

    folder: Path
    resize: Resize
    manifest: LargeManifest
    _shards: dict[str, NDArray[Any]] = field(default_factory=dict, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_shards": {}}  # another process maps the files itself

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits over the frames."""
        return sha256(self.manifest.model_dump_json().encode()).hexdigest()

    def frames(self, id: str) -> Tensor:
        """Frames of a clip, `(F, h, w, 3)` with values 0 to 255; uint8 or float32."""
        found = torch.from_numpy(self.stored(id).pixels())
        return found if DTYPES[self.resize] is np.uint8 else found.float()

    def stored(self, id: str) -> Resized:
        """Frames of a clip as they are kept, mapped and not copied."""
        place = self.manifest.clips[id]
        name = data_file(self.resize, place.shard)
        if name not in self._shards:
            self._shards[name] = np.load(self.folder / name, mmap_mode="c")
        length = sum(place.jpeg_bytes) or int(np.prod(place.shape))
        data = self._shards[name][place.at : place.at + length]
        return Resized(data, place.shape, place.jpeg_bytes, place.jpeg_error)

    def files_of(self, shard: int) -> dict[str, tuple[int, int]]:
        """Size and checksum of the files of a shard."""
        name = data_file(self.resize, shard)
        return {name: self.manifest.files[name]} if name in self.manifest.files else {}


def data_file(resize: Resize, shard: int) -> str:
    """Name of a shard's file of resized frames."""
    return f"resized-{resize}-{shard:05d}.npy"


def places_file(resize: Resize, shard: int) -> str:
    """Name of what says, until the manifest is there, where a shard's clips are in it."""
    return f"resized-{resize}-{shard:05d}.json"


def manifest_file(resize: Resize) -> str:
    """Name of the manifest of a resize."""
    return f"resized-{resize}.json"


def finish_large(folder: Path, resize: Resize, shards: Sequence[int]) -> None:
    """Joins what the shards say and writes the manifest of a resize; from then on it is there."""
    clips: dict[str, LargePlace] = {}
    for number in shards:
        text = (folder / places_file(resize, number)).read_text(encoding="utf-8")
        clips |= Places.model_validate_json(text).clips
    names = [data_file(resize, number) for number in shards]
    files = {name: ((folder / name).stat().st_size, checksum(folder / name)) for name in names}
    with written_whole(folder / manifest_file(resize)) as temporary:
        manifest = LargeManifest(clips=clips, files=files)
        temporary.write_text(manifest.model_dump_json(exclude_defaults=True), encoding="utf-8")
    for places in finished_places(folder):
        places.unlink(missing_ok=True)


def finished_places(folder: Path) -> list[Path]:
    """What shards said of their clips under resizes that have a manifest by now, so that nobody reads it."""
    digits = "[0-9]" * 5
    finished = [resize for resize in DTYPES if (folder / manifest_file(resize)).exists()]
    return [places for resize in finished for places in folder.glob(f"resized-{resize}-{digits}.json")]


def is_large(pictures: Sequence[Picture], size: int) -> bool:
    """Whether resized frames are kept of a clip: its planes are large, or its frames differ in shape."""
    layouts = {picture.layout for picture in pictures}
    first = pictures[0].layout
    height, width = resized_shape(*first.upright, size)
    return len(layouts) > 1 or first.size > SPACE * 3 * height * width


def read_large(folder: Path, resize: Resize) -> Large | None:
    """The large clips of a finished store under a resize; None where nobody has asked for it yet.

    Raises `BenchError` where the files are damaged.
    """
    file = folder / manifest_file(resize)
    try:
        manifest = LargeManifest.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as error:
        raise BenchError(f"{file} cannot be read; delete it and run the command again") from error
    for name, (size, _) in manifest.files.items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != size:
            raise BenchError(f"{folder / name} is missing or truncated; delete {file} and run again")
    return Large(folder, resize, manifest)
