"""Clips to decode, and a store of them."""

from pathlib import Path

import numpy as np
import pytest

import core.store.store
from core.dataset import Video
from core.progress import Silent
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


def prepare(videos, folder: Path, settings=SETTINGS, fingerprint="f", workers=1) -> Store:
    return prepare_store(videos, fingerprint, settings, folder, workers=workers, progress=Silent())


def never(*_):
    """Takes the place of reading a file that is not to be read."""
    raise AssertionError
