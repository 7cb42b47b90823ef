"""What a store was made of, and the file that says so."""

import json
import math
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from core.data_options import FramesAs, Reader, Sampling
from core.errors import BenchError
from core.media.waveform import Reading

STORE_SCHEMA = 3
"""Version of the files; another one is refused."""
SHARD_CLIPS = 64
"""Clips per shard of a new store, at most: the unit of work, and of what a kill can cost."""
SMALLEST_SHARD = 4
"""Clips per shard of a store of few clips: starting on a shard costs about as much as a clip."""
SHARDS = 128
"""Shards that a store of fewer than 8,192 clips is split into where they are not smaller than that, so that
a machine of many cores has work for all of them to the end."""

MANIFEST = "manifest.json"
TABLE = "clips.parquet"
REMAKE = "delete the folder and run the command again"


def shard_clips(clips: int, most: int = SHARD_CLIPS) -> int:
    """Clips per shard of a new store; of nothing but their number, so that a store resumes on any machine.

    >>> shard_clips(200), shard_clips(2_870), shard_clips(10_000)
    (4, 23, 64)
    """
    return min(most, max(SMALLEST_SHARD, math.ceil(clips / SHARDS)))


class StoreSettings(BaseModel):
    """What a store holds of each clip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int = Field(default=12, ge=1, le=256)
    """Frames per clip."""
    sampling: Sampling = "segment-centres"
    """Which frames (see `core.media.sampling`)."""
    size: int = Field(default=224, ge=8, le=2048)
    """Short side of the frames in pixels, when they are read."""
    reader: Reader = "own"
    """Who numbers the frames and converts the colours (see `core.data_options`)."""
    sound: Reading = "track"
    """How sound is read (see `core.media.hearing.reading_of`)."""
    frames_as: FramesAs = "raw"
    """How frames are kept (see `core.data_options`)."""

    @model_serializer(mode="wrap")
    def without_raw(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is written: `raw` is left out, so that stores from before there was a choice keep theirs."""
        values: dict[str, Any] = dump(self)
        return {name: value for name, value in values.items() if (name, value) != ("frames_as", "raw")}


class StoreManifest(BaseModel):
    """What `manifest.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = STORE_SCHEMA
    """Version of the files."""
    settings: StoreSettings
    """What was decoded."""
    dataset: str
    """Fingerprint of the data set."""
    clips: str
    """Digest of the clips' keys, in their order (see `core.store.identity`)."""
    shard: int = SHARD_CLIPS
    """Clips per shard."""
    files: dict[str, tuple[int, int]]
    """Size in bytes and CRC-32 of every other file of the store."""


def read_store_manifest(folder: Path) -> StoreManifest:
    """The manifest of a store; raises `BenchError` where it is missing or of another version."""
    file = folder / MANIFEST
    try:
        content = json.loads(file.read_text())
        if content.get("version") != STORE_SCHEMA:
            raise BenchError(f"{file} has version {content.get('version')}, not {STORE_SCHEMA}; {REMAKE}")
        return StoreManifest.model_validate(content)
    except FileNotFoundError as error:
        raise BenchError(f"{folder} is no finished store; run `bench data prepare NAME`") from error
    except (OSError, ValueError, ValidationError, AttributeError) as error:
        raise BenchError(f"{file} cannot be read; {REMAKE}") from error
