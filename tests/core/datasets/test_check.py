"""A check of a data set's files says what it finds, whatever a file does to FFmpeg."""

import os
import signal

import core.datasets.check
from core.dataset import Video
from core.datasets.check import probe, state_of
from core.progress import Silent
from tests.core.media_files import grey_ramp, tone, write_media


def state_or_die(video: Video):
    if video.id == "bad":
        os.kill(os.getpid(), signal.SIGSEGV)
    return state_of(video)


def test_a_file_that_crashes_ffmpeg_counts_as_undecodable(tmp_path, monkeypatch):
    loud = tone(440, 0, 1, 1.0, 16_000)
    videos = [
        Video(name, write_media(tmp_path / f"{name}.mkv", grey_ramp(10), sound=[loud]))
        for name in ("one", "bad", "two")
    ]
    monkeypatch.setattr(core.datasets.check, "state_of", state_or_die)
    assert probe(videos, 1, Silent()) == {
        "one": ("audible", ""),
        "bad": ("undecodable", "crashed the decoder (Segmentation fault)"),
        "two": ("audible", ""),
    }
