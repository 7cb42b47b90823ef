"""`bench data look`: what is seen and heard in a file, for people and for programs."""

import json
import os
import signal
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from core.data_options import Sampling
from core.dataset import Video
from core.media.looking import LookSettings, hear_file, record
from core.store.looking import look_at

CASES = Path(__file__).parents[1] / "media" / "cases"


def looked(name: str, **settings):
    sound = settings.pop("sound", "own track")
    return record(look_at(Video(name, CASES / name, sound=sound), LookSettings(frames=8, **settings)))


def loud_seconds(sound) -> list[int]:
    """Whole seconds in whose middle there is sound."""
    levels = np.array(sound["loudness"])
    return [second for second in range(len(levels) // 20) if levels[20 * second + 10] > 0.02]


def test_the_answer_for_programs_has_frames_and_loudness():
    found = looked("ref.mp4")
    picture, sound = found["picture"], found["sound"]
    assert (picture["state"], picture["duration"]) == ("ok", 8.0)
    assert (picture["stated_rate"], picture["measured_rate"]) == pytest.approx((10, 10))
    times = [frame["time"] for frame in picture["frames"]]
    assert times == pytest.approx([0.4, 1.4, 2.4, 3.4, 4.4, 5.4, 6.4, 7.4], abs=1e-3)
    np.testing.assert_allclose(picture["frames"][0]["mean_rgb"], (254, 0, 0), atol=3)
    np.testing.assert_allclose(picture["frames"][2]["mean_rgb"], (0, 0, 254), atol=3)
    assert (sound["state"], sound["seconds"], sound["start"]) == ("audible", 8.0, 0.0)
    assert (sound["channels"], sound["rate"], len(sound["loudness"])) == (1, 48_000, 160)
    assert loud_seconds(sound) == [1, 5]
    assert sound["loudness"][30] == pytest.approx(0.5 / np.sqrt(2), abs=0.01)


def test_a_sound_file_is_heard_in_place_of_the_own_track():
    sound = looked("late.mp4", sound=CASES / "late_audio.m4a")["sound"]
    assert sound["start"] == pytest.approx(1.98, abs=0.01)
    assert loud_seconds(sound) == [3, 7]


@pytest.mark.parametrize(
    ("name", "picture", "sound"),
    [
        ("cover.m4a", "no moving picture", "audible"),
        ("ch8.wav", "none", "audible"),
        ("trunc_faststart.mp4", "incomplete", "audible, damaged"),
        ("zeroed.mp4", "damaged", "audible, damaged"),
        ("still_after_1s.mkv", "picture ends early", "audible"),
        ("u8.avi", "stated rate wrong", "audible"),
    ],
)
def test_states_are_named(name, picture, sound):
    found = looked(name)
    assert (found["picture"]["state"], found["sound"]["state"]) == (picture, sound)


def crash_over_sound(path, sound, hearing):
    """As a segmentation fault in the decoder of the sound would end it."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return hear_file(path, sound, hearing)


def test_sound_that_crashes_its_decoder_leaves_the_picture():
    video = Video("ref.mp4", CASES / "ref.mp4")
    found = record(look_at(video, LookSettings(frames=8), crash_over_sound))
    assert found["picture"]["state"] == "ok"
    assert len(found["picture"]["frames"]) == 8
    assert found["sound"]["state"] == "undecodable"
    assert "crashed the decoder" in found["sound"]["reason"]


def test_the_command_prints_json_or_words_or_draws(tmp_path, invoke):
    file = str(CASES / "drop.avi")
    answer = invoke("data", "look", file, "--sampling", "one-per-second", "--json")
    assert len(json.loads(answer.stdout)["picture"]["frames"]) == 8
    words = invoke("data", "look", file).stdout
    assert "picture: stated rate wrong (10 frames per second stated" in words
    assert invoke("data", "look", file, "--png", str(tmp_path / "look.png")).exit_code == 0
    assert (tmp_path / "look.png").read_bytes().startswith(b"\x89PNG")
    missing = invoke("data", "look", str(tmp_path / "none.mp4"))
    assert missing.exit_code == 2
    assert "none.mp4: no such file" in missing.stderr.replace("\n", "")


def test_a_recipe_reads_a_file_as_its_authors_do(invoke):
    words = invoke("data", "look", str(CASES / "drop.avi"), "--recipe", "avigate").stdout
    assert words.count("mean of the middle") == 1  # every tenth of eight frames


def test_every_sampling_is_offered_and_those_who_number_frames_by_decord_keep_our_reader(invoke):
    offered = " ".join(invoke("data", "look", "--help").stdout.split())
    assert all(sampling in offered for sampling in get_args(Sampling))
    file = str(CASES / "vfr_screen.mkv")  # states 60 frames a second: as many in the first, then one a second
    by_recipe = json.loads(invoke("data", "look", file, "--recipe", "drl", "--json").stdout)["picture"]
    by_sampling = json.loads(invoke("data", "look", file, "--sampling", "every-nth", "--json").stdout)[
        "picture"
    ]
    assert by_recipe == by_sampling
    assert [frame["time"] for frame in by_recipe["frames"]] == pytest.approx([0, 1], abs=0.05)
