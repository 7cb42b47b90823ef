"""Sound that lies apart from the videos: found by their names, counted, and never replaced by their own."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console
from scipy.io import wavfile
from typer.testing import Result

from core.cli.bars import Bars
from core.dataset import Dataset
from core.datasets import load_dataset
from core.datasets.locations import Location, save_location
from core.errors import BenchError
from core.progress import Silent
from core.resolving import resolve
from core.running.announcing import Announcer
from core.store.storage import Store
from core.store.store import StoreSettings, prepare_store
from tests.command_line import assert_one_line
from tests.core.datasets import small_copies as small
from tests.core.datasets.small_copies import DIDEMO, TEST, TRAIN
from tests.core.media_files import grey_ramp, tone, write_media

Invoke = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("project")
RATE = 44_100


def load(name: str, root: Path, audio: Path | None, **options: Any) -> Dataset:
    save_location(name, Location(annotations=root, videos=root, audio=audio))
    return load_dataset(name, Silent(), workers=1, options=options)


def sources(dataset: Dataset) -> dict[str, str]:
    """Video -> the name of its sound file, or why it has none."""
    return {
        video.id: video.sound.name if isinstance(video.sound, Path) else video.sound
        for split in dataset.splits.values()
        for video in split.videos
    }


def own_data(root: Path, *videos: str) -> Path:
    """A user's own videos, the first of them for validation and the others a test, all files empty."""
    rows = [f"{name},a caption,{'test' if number else 'val'}" for number, name in enumerate(videos)]
    small.write_lines(root / "captions.csv", ["video,caption,split", *rows])
    small.touch(root, videos)
    return root


def stereo(frequency: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two different channels of one second."""
    return tone(frequency, 0.1, 0.9, 1.0, RATE), tone(1.5 * frequency, 0.3, 1.0, 1.0, RATE, 0.3)


def write_wav(path: Path, channels: tuple[NDArray[np.float32], ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, RATE, np.rint(np.stack(channels, axis=1) * 32767).astype(np.int16))


def store_of(dataset: Dataset, folder: Path) -> Store:
    settings = StoreSettings(frames=2, size=32)
    return prepare_store(
        dataset.videos, dataset.media_fingerprint, settings, folder, workers=1, progress=Silent()
    )


def test_a_sound_file_is_called_like_its_video(tmp_path: Path) -> None:
    root = small.msrvtt_clip4clip(tmp_path / "data")
    small.touch(tmp_path / "sound" / "below", [f"{v}.wav" for v in TRAIN[:4]])
    small.touch(tmp_path / "sound", [f"{TEST[0]}.FLAC", f"{TEST[1]}.json", "video77.wav", ".video8.wav"])
    dataset = load("msrvtt", root, tmp_path / "sound", holdout=0)
    expected = {v: f"{v}.wav" for v in TRAIN[:4]} | {TEST[0]: f"{TEST[0]}.FLAC"}
    assert sources(dataset) == {v: expected.get(v, "none") for v in TRAIN + TEST}
    assert dataset.protocol["sound"] == "separate files for 4 of 6 train, 1 of 3 test videos"


def test_a_data_set_whose_names_have_extensions_finds_stems_and_whole_names(tmp_path: Path) -> None:
    root = small.didemo_official(tmp_path / "data")
    files = ["1@N01_1_a.mov.wav", "1@N01_2_b..wav", "2@N01_1_c.wav", "3@N01_1_d.avi.wav", "3@N01_1_d.wav"]
    small.touch(tmp_path / "sound", files)
    found = sources(load("didemo", root, tmp_path / "sound"))
    videos = [v for names in DIDEMO.values() for v in names]
    assert found == dict(zip(videos, [*files[:4], "none"], strict=True))


def test_videos_named_with_a_path_have_their_sound_at_that_path(tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "a/1.mkv", "b/1.mkv", "2.mp4", "c/3.mkv")
    small.touch(tmp_path / "sound", ["a/1.wav", "b/1.mkv.ogg", "deep/er/2.mp3", "3.wav"])
    found = sources(load("folder", root, tmp_path / "sound"))
    assert found == {"a/1.mkv": "1.wav", "b/1.mkv": "1.mkv.ogg", "2.mp4": "2.mp3", "c/3.mkv": "none"}


def test_uncompressed_copies_hold_sound_and_the_videos_themselves_do_not(tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "1.mp4", "2.mp4", "3.mp4")
    small.touch(tmp_path / "raw", ["1.mp4", "2.webm"])
    dataset = load("folder", root, tmp_path / "raw")
    assert sources(dataset) == {"1.mp4": "1.mp4", "2.mp4": "2.webm", "3.mp4": "none"}
    assert all(video.sound != video.path for split in dataset.splits.values() for video in split.videos)
    small.touch(root / "sound", ["1.wav"])
    assert sources(load("folder", root, root)) == {"1.mp4": "1.wav", "2.mp4": "none", "3.mp4": "none"}


def test_fingerprints_tell_where_the_sound_came_from_and_the_gallery_stays(tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "1.mkv", "2.mkv")
    small.touch(tmp_path / "sound", ["1.wav"])
    own, apart = load("folder", root, None), load("folder", root, tmp_path / "sound")
    small.write(tmp_path / "sound" / "1.wav", b"longer")
    longer = load("folder", root, tmp_path / "sound")
    assert own.protocol["sound"] == "own tracks"
    assert own.fingerprint != apart.fingerprint == longer.fingerprint
    assert len({dataset.media_fingerprint for dataset in (own, apart, longer)}) == 3
    assert own.splits["test"].fingerprint == apart.splits["test"].fingerprint


def test_sound_apart_is_decoded_like_the_same_sound_in_the_videos(tmp_path: Path) -> None:
    muxed, apart = (own_data(tmp_path / kind, *(f"{i}.mkv" for i in range(4))) for kind in ("muxed", "apart"))
    for i in range(4):
        sound, name = stereo(200 + 100 * i), f"{i}.mkv"
        write_media(muxed / name, grey_ramp(10), sound=sound, rate=RATE, layout="stereo")
        write_media(apart / name, grey_ramp(10))
        write_wav(tmp_path / "sound" / f"{i}.wav", sound)
    expected = store_of(load("folder", muxed, None), tmp_path / "expected")
    found = store_of(load("folder", apart, tmp_path / "sound"), tmp_path / "found")
    assert found.has_audio.all()
    for row in range(4):
        np.testing.assert_allclose(found.samples(row), expected.samples(row), atol=1, rtol=0)
        np.testing.assert_array_equal(found.frames(row), expected.frames(row))
        # And as a direct reading says: the mean of both channels, at their level.
        _, samples = wavfile.read(tmp_path / "sound" / f"{row}.wav")
        power = np.square(samples.mean(axis=1) / 32767).mean()
        assert np.square(found.waveform(row)).mean() == pytest.approx(power, rel=0.01)


def test_the_own_track_is_no_stand_in(tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "1.mkv", "2.mkv", "3.mkv")
    for i in (1, 2, 3):
        write_media(root / f"{i}.mkv", grey_ramp(10), sound=stereo(300), rate=RATE, layout="stereo")
    write_wav(tmp_path / "sound" / "1.wav", stereo(700))
    small.write(tmp_path / "sound" / "2.wav", b"<html>")
    store = store_of(load("folder", root, tmp_path / "sound"), tmp_path / "store")
    assert store.status == ("audible", "undecodable", "no-track")
    assert store.has_audio.tolist() == [True, False, False]
    assert store.reason[2] == "no sound file"
    spectrum = np.abs(np.fft.rfft(store.waveform(0)))
    assert spectrum.argmax() * 16_000 / store.waveform(0).size == pytest.approx(700, abs=2)


def test_a_store_of_own_tracks_is_not_taken_for_one_of_sound_apart(tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "1.mkv", "2.mkv")
    for i in (1, 2):
        write_media(root / f"{i}.mkv", grey_ramp(10))
    write_wav(tmp_path / "sound" / "1.wav", stereo(700))
    store_of(load("folder", root, None), tmp_path / "store")
    with pytest.raises(BenchError, match="another version of the data set"):
        store_of(load("folder", root, tmp_path / "sound"), tmp_path / "store")


@pytest.mark.parametrize(
    ("videos", "files", "words"),
    [
        (("1.mkv", "2.mkv"), ("2.wav", "2.flac"), ["1 of 2", "2.mkv (several", "2.wav", "2.flac"]),
        (("1.mkv", "2.mkv"), ("x/2.wav", "y/2.wav"), ["2.mkv (several", "x/2.wav and ", "y/2.wav"]),
        (("1.mkv", "2.mkv"), ("2.wav", "2.pt"), ["2.mkv (several", "2.wav", "2.pt"]),
        (("1.mkv", "2.mkv"), ("1.pt", "2.wav"), ["1.pt holds states and ", "2.wav sound; keep one kind"]),
        (("1.mkv", "2.mp4", "2.mkv"), ("2.wav",), ["2 of 3", "2.wav may be the file of 2.mp4 or 2.mkv"]),
        (
            ("1.mkv", "2.mkv"),
            ("3.wav", "2.txt"),
            ["no video has a sound file", "no 1.mkv.* or 1.* under ", "--audio"],
        ),
    ],
)
def test_ambiguous_sound_and_a_folder_without_any_are_one_line(
    videos: tuple[str, ...], files: tuple[str, ...], words: list[str], invoke: Invoke, tmp_path: Path
) -> None:
    root = own_data(tmp_path / "data", *videos)
    small.touch(tmp_path / "sound", files)
    assert_one_line(invoke("data", "add", "folder", "--root", root, "--audio", tmp_path / "sound"), *words)
    assert_one_line(invoke("data", "check", "folder", "--root", root, "--audio", tmp_path / "sound"), *words)
    save_location("folder", Location(annotations=root, videos=root, audio=tmp_path / "sound"))
    assert_one_line(invoke("data", "prepare", "folder", "--methods", "gaid"), *words)


@pytest.mark.parametrize("name", ["../1.mkv", "/etc/1.mkv", "a/../../1"])
def test_a_name_that_climbs_out_of_the_folder_reaches_no_sound(
    name: str, invoke: Invoke, tmp_path: Path
) -> None:
    root = own_data(tmp_path / "data", "0.mkv")
    small.write_lines(root / "captions.csv", ["video,caption,split", "0.mkv,a,val", f"{name},a,test"])
    small.touch(tmp_path / "sound", ["0.wav"])
    small.touch(tmp_path, ["1.wav"])
    result = invoke("data", "check", "folder", "--root", root, "--audio", tmp_path / "sound")
    assert_one_line(result, "captions.csv, line 3", "leads out of the data set's folder")


def test_check_counts_sound_files_and_opens_them(invoke: Invoke, tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "0.mkv", "1.mkv", "2.mkv", "3.mkv")
    for i in range(4):
        write_media(root / f"{i}.mkv", grey_ramp(10))
    write_wav(tmp_path / "sound" / "0.wav", stereo(500))
    write_wav(tmp_path / "sound" / "1.wav", tuple(channel[: RATE // 4] for channel in stereo(500)))
    small.write(tmp_path / "sound" / "2.wav", b"<html>")
    added = invoke("data", "add", "folder", "--root", root, "--audio", tmp_path / "sound")
    assert "sound: separate files for 1 of 1 val, 2 of 3 test videos" in added.stdout
    report = json.loads(invoke("data", "check", "folder", "--workers", "1", "--json").stdout)
    assert [split["sound_files"] for split in report["splits"]] == [1, 2]
    assert report["whole"]
    assert report["problems"]["without a sound file"] == {
        "3.mkv": f"no 3.mkv.* or 3.* under {tmp_path / 'sound'}"
    }
    assert {kind: list(found) for kind, found in report["problems"].items()} == {
        "without a sound file": ["3.mkv"],
        "shorter sound": ["1.mkv"],
        "bad sound": ["2.mkv"],
        "no track": ["3.mkv"],
    }
    table = invoke("data", "check", "folder", "--quick")
    assert table.exit_code == 0
    for words in (
        "sound files",
        "1 without a sound file: 3.mkv (no 3.mkv.*",
        "separate files for 1 of 1 val",
    ):
        assert words in table.stdout
    other = invoke("data", "check", "folder", "--quick", "--root", root)
    assert "sound: own tracks" in other.stdout and "sound files" not in other.stdout


def test_check_reads_states_in_place_of_sound(invoke: Invoke, tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "0.mkv", "1.mkv", "2.mkv")
    for i in range(3):
        write_media(root / f"{i}.mkv", grey_ramp(10))
    (tmp_path / "states").mkdir()
    torch.save(torch.zeros(1, 1500, 512), tmp_path / "states" / "0.pt")
    torch.save(Path("poison"), tmp_path / "states" / "1.pt")
    place = ("--root", root, "--audio", tmp_path / "states")
    report = json.loads(invoke("data", "check", "folder", *place, "--workers", "1", "--json").stdout)
    assert report["protocol"]["sound"] == "encoder states from files for 1 of 1 val, 1 of 2 test videos"
    assert {kind: list(found) for kind, found in report["problems"].items()} == {
        "without a sound file": ["2.mkv"],
        "bad sound": ["1.mkv"],
        "no track": ["2.mkv"],
    }
    assert "1.pt is a pickle that needs" in report["problems"]["bad sound"]["1.mkv"]


def test_before_a_run_one_line_counts_the_sound_files(tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "0.mkv", "1.mkv", "2.mkv")
    small.touch(tmp_path / "sound", ["2.wav"])
    load("folder", root, tmp_path / "sound")
    console = Console(width=200, record=True, file=StringIO())
    Announcer(Bars(console)).listed([resolve("gaid", "folder", {})])
    expected = "folder: val 1 · test 2; sound: separate files for 0 of 1 val, 1 of 2 test videos\n"
    assert console.export_text() == expected


def test_a_folder_that_has_gone_is_named(invoke: Invoke, tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "0.mkv", "1.mkv")
    save_location("folder", Location(annotations=root, videos=root, audio=tmp_path / "sound"))
    assert_one_line(invoke("data", "check", "folder"), str(tmp_path / "sound"), "no such file or folder")
    with pytest.raises(BenchError, match="sound: no such folder; name the right one with --audio"):
        load("folder", root, tmp_path / "sound")


def test_only_the_videos_with_a_sound_file_count_and_the_protocol_says_how_many_are_left(
    invoke: Invoke, tmp_path: Path
) -> None:
    root, sound = own_data(tmp_path / "data", "a.mp4", "b.mp4", "c.mp4", "d.mp4"), tmp_path / "sound"
    (root / "d.mp4").unlink()  # nobody misses it: it does not count
    small.touch(sound, ["a.wav", "c.wav"])
    whole = load("folder", root, sound, missing="drop")
    thinned = load("folder", root, sound, only="with-audio-file")
    assert [video.id for video in thinned.splits["test"].videos] == ["c.mp4"]
    assert thinned.protocol["only"] == "with-audio-file: 1 of 1 val, 1 of 3 test videos are left"
    assert thinned.protocol["only"] in thinned.notes
    assert thinned.fingerprint != whole.fingerprint
    assert "only" not in whole.protocol
    checked = invoke("data", "check", "folder", "--quick", "--json", "--set", "data.only=with-audio-file")
    assert {split["split"]: split["videos"] for split in json.loads(checked.stdout)["splits"]}["test"] == 1


def test_thinning_needs_sound_files_and_leaves_something(tmp_path: Path) -> None:
    root = own_data(tmp_path / "data", "a.mp4", "b.mp4")
    with pytest.raises(BenchError, match=r"data.only=with-audio-file keeps .* with --audio"):
        load("folder", root, None, only="with-audio-file")
    small.touch(tmp_path / "sound", ["a.wav"])
    with pytest.raises(BenchError, match=r"leaves no test video"):
        load("folder", root, tmp_path / "sound", only="with-audio-file")
