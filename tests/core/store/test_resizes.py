"""One store serves every resize: planes are decoded once, and only large clips again."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import core.paths
import core.store.store
from core.dataset import Video
from core.media.media import decode_clip
from core.media.pictures import pixels_of, upright
from core.progress import Silent
from core.store.estimate import Estimate
from core.store.large import DTYPES, is_large
from core.store.manifest import StoreSettings
from core.store.reading import see
from core.store.storage import Store
from core.store.store import prepare_store
from tests.core.media_files import write_media
from tests.core.store.conftest import contents

pytestmark = pytest.mark.slow

SETTINGS = StoreSettings(frames=3, size=32)
RESIZES = list(DTYPES)
CENTRES = {"sampling": "segment-centres", "frames": 3, "size": 32}


def noise(height, width, seed):
    return np.random.default_rng(seed).integers(0, 256, (6, height, width, 3), np.uint8)


@pytest.fixture
def clips(tmp_path) -> list[Video]:
    """A small clip, and one of ten times the size that frames will have."""
    return [
        Video("small", write_media(tmp_path / "small.mkv", noise(40, 48, 0))),
        Video("large", write_media(tmp_path / "large.mkv", noise(320, 400, 1))),
    ]


def expected(video, resize):
    frames = decode_clip(video.path, **CENTRES).frames
    return pixels_of(frames.pictures, 32, resize, "flagged")


def prepare(videos, folder, resize, progress=None):
    return prepare_store(
        videos, "f", SETTINGS, folder, workers=1, progress=progress or Silent(), resize=resize
    )


@pytest.mark.parametrize("resize", RESIZES)
def test_pixels_are_those_of_a_fresh_decoding(clips, tmp_path, resize):
    store = prepare(clips, tmp_path / "store", resize)
    assert store.large_rows == [1]
    small, large = store.pixels(0), store.pixels(1)
    assert torch.equal(small, expected(clips[0], resize))
    wanted = expected(clips[1], resize)
    assert small.dtype == large.dtype == wanted.dtype
    # halves are an eighth apart between 128 and 256, and a quarter beyond
    torch.testing.assert_close(large, wanted, atol=0.0 if resize == "antialiased" else 0.1251, rtol=0)
    assert (large.float() - wanted.float()).abs().mean() < 0.05


def test_another_resize_decodes_the_large_clips_alone(clips, tmp_path, monkeypatch):
    first = prepare(clips, tmp_path / "store", "antialiased")
    decoded = []

    def noting(video, settings, heard):
        decoded.append(video.id)
        return see(video, settings, heard)

    monkeypatch.setattr("core.store.store.see", noting)
    said = []
    monkeypatch.setattr(Silent, "say", lambda self, text, *_: said.append(text))
    monkeypatch.setattr("core.store.store.estimate", lambda *_: Estimate(1e6, 1.0))
    monkeypatch.setattr(
        "core.store.store.watched", lambda write, shards, *_: [(s, write(s, str)) for s in shards]
    )
    second = prepare(clips, tmp_path / "store", "tensor")
    assert decoded == ["large"]
    assert "resizing (tensor) 1 clips once: about 1.0 MB" in said[0]
    assert first.fingerprint == second.fingerprint
    assert first.seen == second.seen
    decoded.clear()
    assert prepare(clips, tmp_path / "store", "antialiased").fingerprint == first.fingerprint
    assert decoded == []


@pytest.mark.parametrize("order", [RESIZES, RESIZES[::-1]])
def test_the_order_of_resizes_changes_nothing(clips, tmp_path, order):
    for resize in order:
        found, alone = (prepare(clips, tmp_path / name, resize) for name in ("store", resize))
        assert found.fingerprint == alone.fingerprint
        assert all(torch.equal(found.pixels(row), alone.pixels(row)) for row in range(len(clips)))


def test_the_store_takes_less_than_twice_the_space_of_resized_frames(clips, tmp_path):
    store = prepare(clips, tmp_path / "store", "antialiased")
    kept = sum(file.stat().st_size for file in (tmp_path / "store").glob("*.npy"))
    resized = sum(store.frames(row).nbytes for row in range(len(store)))
    assert kept < 2 * resized


def test_a_picture_that_changes_its_size_is_kept_resized(tmp_path):
    small, large = (
        decode_clip(write_media(tmp_path / f"{size}.mkv", noise(size, size, 2)), **CENTRES).frames.pictures
        for size in (40, 44)
    )
    assert is_large([*small[:1], *large[1:]], 32)
    assert not is_large(small, 32)


def test_people_see_a_large_clip_however_it_is_kept(clips, tmp_path):
    prepare(clips, tmp_path / "store", "tensor")
    shown = Store.open(tmp_path / "store").frames(1)
    assert shown.dtype == np.uint8
    assert np.abs(shown.astype(float) - expected(clips[1], "tensor").numpy().clip(0, 255)).max() < 0.6


@pytest.mark.parametrize("resize", RESIZES)
def test_random_crops_are_cut_out_of_what_decoded(clips, tmp_path, resize):
    store = prepare(clips, tmp_path / "store", resize)
    decoded = decode_clip(clips[0].path, **CENTRES).frames.pictures
    whole = torch.stack([upright(picture, "flagged") for picture in decoded])
    assert store.decoded(0).shape == (3, 40, 48, 3)
    assert torch.equal(store.decoded(0), whole)
    assert torch.equal(store.decoded(1), store.pixels(1))  # a large clip is kept resized alone


class Killed(BaseException):
    """What a killed process cannot catch."""


@pytest.mark.parametrize("resizes", [RESIZES[:1], pytest.param(RESIZES[:2], marks=pytest.mark.slow)])
def test_a_kill_before_any_step_leaves_nothing_behind(tmp_path, monkeypatch, resizes):
    """A step is a rename or a removal; from the one at which the process dies on, none happens."""
    monkeypatch.setattr(core.store.store, "SHARD_CLIPS", 1)
    monkeypatch.setattr(core.paths, "sync", lambda path: None)  # no power fails here
    monkeypatch.setattr(core.store.store, "estimate", lambda *_: Estimate(1e6, 1.0))
    small = write_media(tmp_path / "small.mkv", noise(40, 48, 0))
    large = write_media(tmp_path / "large.mkv", np.zeros((6, 320, 400, 3), np.uint8))
    clips = [Video("small", small), Video("large", large), Video("large too", large)]
    monkeypatch.setattr(
        core.store.store, "watched", lambda write, shards, *_: ((s, write(s, str)) for s in shards)
    )
    steps = 0
    kill_at = math.inf

    def counted(step):
        def act(*arguments, **how):
            nonlocal steps
            steps += 1
            if steps > kill_at:
                raise Killed
            return step(*arguments, **how)

        return act

    monkeypatch.setattr(os, "replace", counted(os.replace))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))

    def prepare_under_all(folder):
        for resize in resizes:
            prepare(clips, folder, resize)

    prepare_under_all(tmp_path / "whole")
    expected = contents(tmp_path / "whole")
    in_all = steps
    assert in_all >= 20
    for kill_at in range(in_all):
        folder = tmp_path / str(kill_at)
        steps = 0
        with pytest.raises(Killed):
            prepare_under_all(folder)
        steps = -in_all * 9
        prepare_under_all(folder)
        assert contents(folder) == expected, f"killed before step {kill_at + 1} of {in_all}"
