"""A clip that crashes or hangs the decoder costs that clip, by name, and not the command."""

import os
import signal
import time

import numpy as np
import pytest

import core.store.store
from core.dataset import Video
from core.errors import BenchError
from core.media.media import Clip
from core.progress import Silent
from core.store.shards import decode
from core.store.store import StoreSettings, prepare_store
from tests.core.store.conftest import SETTINGS, prepare


def decode_or_die(video: Video, settings: StoreSettings) -> Clip:
    """As a segmentation fault in FFmpeg would end it."""
    if video.id in ("b", "d"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return decode(video, settings)


def decode_or_hang(video: Video, settings: StoreSettings) -> Clip:
    """As an endless loop in FFmpeg would hold it."""
    while video.id == "c":
        time.sleep(1)
    return decode(video, settings)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_clip_that_crashes_its_decoder_costs_that_clip_alone(videos, tmp_path, monkeypatch, workers):
    whole = prepare(videos, tmp_path / "whole")
    monkeypatch.setattr(core.store.store, "decode", decode_or_die)
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
        np.testing.assert_array_equal(store.sound(row), whole.sound(row))


def test_a_clip_that_hangs_its_decoder_is_given_up(videos, tmp_path, monkeypatch):
    for name in ("CLIP_SECONDS", "PROBE_SECONDS"):
        monkeypatch.setattr(core.store.store, name, 1.0)
    monkeypatch.setattr(core.store.store, "decode", decode_or_hang)
    with pytest.raises(BenchError, match=r"c\.mkv: hung the decoder \(no end after 1 s\); replace"):
        prepare(videos, tmp_path / "store")
