"""A clip that crashes or hangs the decoder costs that clip, by name, and not the command."""

import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

import core.store.estimate
import core.store.store
from core.dataset import Video
from core.errors import BenchError
from core.media.listening import Heard
from core.media.media import Clip
from core.progress import Silent
from core.store.reading import hear, see
from core.store.store import StoreSettings, prepare_store
from tests.core.media_files import tone, write_media
from tests.core.store.conftest import SETTINGS, prepare

pytestmark = pytest.mark.slow


def see_or_die(video: Video, settings: StoreSettings, heard: Heard) -> Clip:
    """As a segmentation fault in FFmpeg's decoder of the picture would end it."""
    if video.id in ("b", "d"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return see(video, settings, heard)


def hear_or_die(video: Video, settings: StoreSettings) -> Heard:
    """As a segmentation fault in FFmpeg's decoder of the sound would end it."""
    if video.id == "a":
        os.kill(os.getpid(), signal.SIGSEGV)
    return hear(video, settings)


def see_or_hang(video: Video, settings: StoreSettings, heard: Heard) -> Clip:
    """As an endless loop in FFmpeg would hold it."""
    while video.id == "c":
        time.sleep(1)
    return see(video, settings, heard)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_clip_that_crashes_its_decoder_costs_that_clip_alone(videos, tmp_path, monkeypatch, workers):
    whole = prepare(videos, tmp_path / "whole")
    monkeypatch.setattr(core.store.store, "see", see_or_die)
    with pytest.raises(
        BenchError,
        match=r"2 of 5 clips .*; first: .*[bd]\.mkv: crashed the decoder \(Segmentation fault\); "
        "replace them, or pass --missing count-as-miss or drop to go on",
    ):
        prepare(videos, tmp_path / "store", workers=workers)
    how = {"workers": workers, "progress": Silent(), "keep_undecodable": True}
    store = prepare_store(videos, "f", SETTINGS, tmp_path / "store", **how)
    assert store.undecodable.tolist() == [False, True, False, True, False]
    assert store.reason[1] == store.reason[3] == "crashed the decoder (Segmentation fault)"
    for row in (0, 2, 4):
        np.testing.assert_array_equal(store.frames(row), whole.frames(row))
        np.testing.assert_array_equal(store.samples(row), whole.samples(row))


def test_a_clip_that_hangs_its_decoder_is_given_up(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(core.store.store, "CLIP_SECONDS", 1.0)
    monkeypatch.setattr(core.store.estimate, "PROBE_SECONDS", 1.0)
    monkeypatch.setattr(core.store.store, "see", see_or_hang)
    with pytest.raises(BenchError, match=r"c\.mkv: hung the decoder \(no end after 1 s\); replace"):
        prepare(videos, tmp_path / "store")


def test_sound_that_crashes_its_decoder_costs_the_sound_alone(videos, tmp_path, monkeypatch):
    whole = prepare(videos, tmp_path / "whole")
    monkeypatch.setattr(core.store.store, "hear", hear_or_die)
    store = prepare(videos, tmp_path / "store")  # a clip without sound is no clip without a picture
    assert store.undecodable.tolist() == [False] * 5
    assert store.status == ("undecodable", *whole.status[1:])
    assert store.reason[0] == "crashed the decoder (Segmentation fault)"
    for row in range(5):
        np.testing.assert_array_equal(store.frames(row), whole.frames(row))
        assert (store.samples(row).size > 0) == (row not in (0, 2))


def test_a_sound_file_that_crashes_is_named_itself(videos, tmp_path, monkeypatch):
    apart = write_media(tmp_path / "apart.wav", sound=[tone(440, 0, 1, 1.0, 16_000)], format=None)
    monkeypatch.setattr(core.store.store, "hear", hear_or_die)
    store = prepare([replace(videos[0], sound=apart)], tmp_path / "store")
    assert store.reason == (f"{apart}: crashed the decoder (Segmentation fault)",)
