"""What a store takes over from an earlier one where a file was replaced, touched or left out."""

import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import core.store.estimate
import core.store.store
import core.supervisor
from core.dataset import Video
from core.media.hearing import Hearing
from core.progress import Silent
from core.store.columns import shard_files
from core.store.reading import hear
from core.store.store import prepare_store
from tests.core.media_files import grey_ramp, tone, write_media
from tests.core.store.conftest import SETTINGS, never, prepare

pytestmark = pytest.mark.slow

CASES = Path(__file__).parents[1] / "media" / "cases" / "same_size"


def test_a_replaced_file_of_the_same_size_is_decoded_again_alone(videos, tmp_path, monkeypatch):
    sound = tmp_path / "sound.wav"
    shutil.copy(CASES / "before.wav", sound)
    clips = [*videos, Video("e", videos[0].path, sound=sound)]
    first = prepare(clips, tmp_path / "first")
    assert first.status[5] == "silent"
    shutil.copy(CASES / "after.wav", sound)
    assert sound.stat().st_size == (CASES / "before.wav").stat().st_size

    read = tmp_path / "read"
    monkeypatch.setattr(core.store.store, "hear", partial(hear_noted, read=read))
    how = {"workers": 1, "progress": Silent(), "others": [tmp_path / "first"]}
    monkeypatch.setattr(core.store.estimate, "PROBES", 1)
    second = prepare_store(clips, "f", SETTINGS, tmp_path / "second", **how)
    assert set(read.read_text().split()) == {"e"}
    assert second.status == (*first.status[:5], "audible")
    for row in range(6):
        np.testing.assert_array_equal(second.frames(row), first.frames(row))
    for row in range(5):
        np.testing.assert_array_equal(second.samples(row), first.samples(row))
    assert first.seen == second.seen
    assert [one == other for one, other in zip(first.heard, second.heard, strict=True)] == [True] * 5 + [
        False
    ]
    assert second.fingerprint != first.fingerprint
    shared = [
        os.path.samefile(tmp_path / "first" / name, tmp_path / "second" / name) for name in shard_files(0)
    ]
    assert shared == [True, True]  # an unchanged shard takes no space


def hear_noted(video, settings, read):
    """Reads a sound, and writes down whose."""
    with read.open("a") as file:
        file.write(f"{video.id}\n")
    return hear(video, settings)


def test_a_file_that_was_only_touched_leaves_the_fingerprint(videos, tmp_path):
    first = prepare(videos, tmp_path / "first")
    os.utime(videos[1].path, (0, 0))
    how = {"workers": 1, "progress": Silent(), "others": [tmp_path / "first"]}
    second = prepare_store(videos, "f", SETTINGS, tmp_path / "second", **how)
    assert second.manifest.clips != first.manifest.clips
    assert second.fingerprint == first.fingerprint


def test_sound_is_kept_as_its_track_has_it(tmp_path):
    left, right = tone(440, 0.5, 1, 1.0, 44_100), tone(660, 0, 0.5, 1.0, 44_100)
    path = write_media(tmp_path / "a.mkv", grey_ramp(20), sound=[left, right], rate=44_100, layout="stereo")
    store = prepare([Video("a", path)], tmp_path / "store")
    sound = store.sound(0)
    assert (sound.rate, sound.channels, sound.planes.shape, sound.start) == (44_100, 2, (2, 44_100), 0)
    np.testing.assert_allclose(sound.planes / 32_768, np.stack([left, right]), atol=1e-4)
    assert store.duration[0] == pytest.approx(2.0, abs=1e-3)
    assert store.waveform(0).size == 32_000
    only_left = store.waveform(0, Hearing("left", "file"))
    assert only_left.size == 16_000
    assert np.abs(only_left[:7_000]).max() < 0.01 < np.abs(only_left[9_000:]).max()


def test_a_clip_that_is_left_out_decodes_none_of_the_others_again(videos, tmp_path, monkeypatch):
    first = prepare(videos, tmp_path / "first")
    for name in ("hear", "see"):
        monkeypatch.setattr(core.store.store, name, never)
    said = []
    monkeypatch.setattr(Silent, "say", lambda self, line, *_: said.append(line))
    how = {"workers": 1, "progress": Silent(), "others": [tmp_path / "first"]}
    second = prepare_store([videos[0], *videos[2:]], "f", SETTINGS, tmp_path / "second", **how)
    assert said == ["4 of 4 clips are unchanged and taken from an earlier store"]
    assert second.ids == ("a", "c", "d", "d2")
    for row, old in enumerate((0, 2, 3, 4)):
        np.testing.assert_array_equal(second.frames(row), first.frames(old))
        np.testing.assert_array_equal(second.samples(row), first.samples(old))
