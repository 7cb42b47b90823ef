"""A check of a data set's files says what it finds, whatever a file does to FFmpeg."""

import os
import signal
from pathlib import Path

import pytest

import core.datasets.check
from core.dataset import Video
from core.datasets.check import heard_of, media_verdict, picture_of, probe
from core.progress import Silent
from tests.core.media_files import grey_ramp, tone, write_media

CASES = Path(__file__).parents[1] / "media" / "cases"
CRASHED = "crashed the decoder (Segmentation fault)"


def die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def verdict_or_die(video: Video):
    if video.id in ("bad", "mute"):
        die()
    return media_verdict(video)


def see_or_die(video: Video):
    if video.id == "bad":
        die()
    return picture_of(video)


def hear_or_die(video: Video):
    if video.id == "mute":
        die()
    return heard_of(video)


def test_a_crash_costs_the_picture_or_the_sound_of_one_file(tmp_path, monkeypatch):
    loud = tone(440, 0, 1, 1.0, 16_000)
    paths = {
        name: write_media(tmp_path / f"{name}.mkv", grey_ramp(10), sound=[loud])
        for name in ("one", "bad", "mute", "two")
    }
    apart = write_media(tmp_path / "apart.wav", sound=[loud], format=None)
    videos = [
        Video(name, path, sound=apart if name == "mute" else "own track") for name, path in paths.items()
    ]
    for name, function in (
        ("media_verdict", verdict_or_die),
        ("picture_of", see_or_die),
        ("heard_of", hear_or_die),
    ):
        monkeypatch.setattr(core.datasets.check, name, function)
    found = {name: (verdict.state, verdict.reason) for name, verdict in probe(videos, 1, Silent()).items()}
    assert found == {
        "one": ("audible", ""),
        "bad": ("undecodable", CRASHED),
        "mute": ("bad sound", f"{apart}: {CRASHED}"),
        "two": ("audible", ""),
    }


@pytest.mark.parametrize(
    ("name", "state", "faults"),
    [
        ("ref.mp4", "audible", set()),
        ("cover.m4a", "no moving picture", set()),
        ("trunc_faststart.mp4", "audible", {"incomplete", "damaged"}),
        ("zeroed.mp4", "audible", {"damaged"}),
        ("slideshow2.mkv", "audible", {"picture ends early"}),
        ("vfr_screen.mkv", "audible", {"stated rate wrong"}),
    ],
)
def test_a_verdict_names_what_is_wrong_with_a_file(name, state, faults):
    found = media_verdict(Video(name, CASES / name))
    assert (found.state, found.faults.keys()) == (state, faults)


def test_the_check_counts_and_names_what_is_wrong(invoke, tmp_path):
    videos = ("ref.mp4", "zeroed.mp4", "u8.avi", "trunc_faststart.mp4", "drop.avi")
    rows = [f"{name},words for {name},{'test' if name != 'ref.mp4' else 'train'}" for name in videos]
    table = tmp_path / "captions.csv"
    table.write_text("\n".join(["video,caption,split", *rows]) + "\n")
    answer = invoke("data", "check", "folder", "--videos", CASES, "--captions", table).stdout
    assert "2 damaged: zeroed.mp4 (27 of 80 frames do not decode" in answer
    assert "1 incomplete: trunc_faststart.mp4 (3.9 of 8.0 s are there)" in answer
    assert "2 stated rate wrong: u8.avi (20 frames per second stated" in answer
