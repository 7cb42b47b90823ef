"""Clips to decode, stores of them, and their features."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import core.store.store
from core.dataset import Video
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.progress import Silent
from core.store.features import Features, encode_store
from core.store.storage import Store
from core.store.store import StoreSettings, prepare_store
from tests.core.media_files import grey_ramp, tone, write_media

SETTINGS = StoreSettings(frames=4, size=32)


@pytest.fixture
def videos(tmp_path, monkeypatch) -> list[Video]:
    """Five clips of different shapes, lengths and sounds, in shards of two."""
    monkeypatch.setattr(core.store.store, "SHARD_CLIPS", 2)
    folder = tmp_path / "media"
    folder.mkdir()
    loud = tone(440, 0.2, 0.6, 1.0, 16_000)
    write_media(folder / "a.mkv", grey_ramp(10), sound=[loud])
    write_media(folder / "b.mkv", grey_ramp(20, 48, 32), sound=[np.zeros(32_000, np.float32)])
    write_media(folder / "c.mkv", grey_ramp(3, 32, 32))
    write_media(folder / "d.mkv", grey_ramp(30, 64, 96), sound=[tone(300, 0, 3, 3.0, 8_000)], rate=8_000)
    return [Video(name, folder / f"{name}.mkv") for name in "abcd"] + [
        Video("d2", folder / "d.mkv", 1.0, 2.0)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "lock"}


def prepare(videos, folder: Path, settings=SETTINGS, fingerprint="f", workers=1) -> Store:
    return prepare_store(videos, fingerprint, settings, folder, workers=workers, progress=Silent())


def never(*_):
    """Takes the place of reading a file that is not to be read."""
    raise AssertionError


@pytest.fixture(scope="session")
def made_store(tmp_path_factory) -> Path:
    """Five clips in shards of two; b and e share their pixels and not their sound, c has no sound."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "media").mkdir()
    draw = np.random.default_rng(0)
    pictures = {
        name: draw.integers(0, 256, (8, 64, 64 + 8 * i, 3), dtype=np.uint8) for i, name in enumerate("abcd")
    }
    pictures["e"] = pictures["b"]
    videos = []
    for i, (name, pixels) in enumerate(pictures.items()):
        seconds = len(pixels) / 8
        sound = None if name == "c" else [tone(200 * (i + 1), 0, seconds, seconds, 16_000)]
        path = write_media(folder / "media" / f"{name}.mkv", pixels, fps=8, sound=sound)
        videos.append(Video(name, path))
    settings = StoreSettings(frames=3, size=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core.store.store, "SHARD_CLIPS", 2)
        made = prepare_store(videos, "f", settings, folder / "store", workers=1, progress=Silent())
    return made.folder


@pytest.fixture
def store(made_store, tmp_path) -> Store:
    """A copy of `made_store` of the test's own."""
    return Store.open(Path(shutil.copytree(made_store, tmp_path / "store")))


@pytest.fixture(scope="session")
def clip() -> ClipBackbone:
    return ClipBackbone.load("avworld")


@pytest.fixture(scope="session")
def audio() -> AudioEncoder:
    return AudioEncoder.load("avworld-whisper")


def encode(store, clip, audio, folder: Path, workers: int = 1, **more) -> Features:
    return encode_store(store, clip, audio, folder, workers=workers, progress=Silent(), device="cpu", **more)
