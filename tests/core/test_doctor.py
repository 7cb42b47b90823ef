"""What the doctor finds is what is there, and its exit code says whether something needed is missing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from core import doctor
from core.datasets import registered_datasets
from core.datasets.avworld import shipped
from core.encoders import published
from core.encoders.published import published_encoders
from tests.core.media_files import grey_ramp, write_media


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own on a machine without published weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setenv(published.VARIABLE, str(tmp_path / "weights"))
    for name in published.OFFLINE:
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr("platformdirs.user_config_dir", lambda _: str(tmp_path / "config"))
    monkeypatch.setattr("core.encoders.published.cached_places", lambda _: iter(()))
    (tmp_path / "bench.toml").touch()
    return tmp_path


@pytest.fixture
def examine(invoke: Callable[..., Any]) -> Callable[..., tuple[int, dict[str, dict[str, str]]]]:
    """Exit code and findings by subject."""

    def command(*options: str, **environment: str) -> tuple[int, dict[str, dict[str, str]]]:
        result = invoke("doctor", "--json", *options, **environment)
        content = json.loads(result.output)
        assert content["complete"] == (result.exit_code == 0)
        return result.exit_code, {found["subject"]: found for found in content["findings"]}

    return command


@pytest.fixture
def own_data(home: Path, invoke: Callable[..., Any]) -> Path:
    """The folder of the one video of a configured data set, each of its splits with a video of its own."""
    videos = home / "videos"
    videos.mkdir()
    rows = []
    for split in ("train", "val", "test"):
        write_media(videos / f"{split}.mkv", grey_ramp(4))
        rows.append(f"{split}.mkv,a grey that brightens,{split}\n")
    (home / "captions.csv").write_text("video,caption,split\n" + "".join(rows))
    result = invoke("data", "add", "folder", "--videos", videos, "--captions", home / "captions.csv")
    assert result.exit_code == 0, result.output
    return videos


def test_a_machine_without_data_and_published_weights_lacks_nothing(examine):
    code, found = examine()
    assert code == 0
    assert {
        *registered_datasets(),
        *published_encoders(),
        "Python",
        "libraries",
        "FFmpeg of PyAV",
        "GPU",
        "cache",
    } <= {subject if not subject.startswith("GPU") else "GPU" for subject in found}
    assert found["msrvtt"]["fix"] == "bench data add msrvtt --root DIR"
    assert all(found[name]["state"] == "note" for name in published_encoders())


def test_weights_are_named_with_their_place(examine, home):
    (home / "weights" / "whisper-base").mkdir(parents=True)
    (home / "weights" / "whisper-base" / "config.json").write_text('{"model_type": "whisper"}')
    (home / "weights" / "whisper-base" / "model.safetensors").touch()
    found = examine()[1]["whisper-base"]
    assert (found["state"], found["value"]) == ("ok", str(home / "weights" / "whisper-base"))


def test_a_configured_data_set_is_counted_and_its_missing_videos_found(examine, own_data):
    code, found = examine()
    assert (code, found["folder"]["state"]) == (0, "ok")
    assert "test 1" in found["folder"]["value"]
    (own_data / "train.mkv").rename(own_data / "other.mkv")
    code, found = examine()
    assert (code, found["folder"]["state"]) == (1, "missing")
    assert found["folder"]["fix"] == "bench data check folder"


def test_offline_a_configured_data_set_needs_the_default_encoders(examine, own_data):
    code, found = examine("--offline")
    assert code == 1
    assert {name for name in published_encoders() if found[name]["state"] == "missing"} == {
        "ViT-B-32",
        "whisper-base",
    }
    assert published.VARIABLE in found["ViT-B-32"]["fix"]


def test_a_data_set_whose_folder_is_gone_is_missing(examine, own_data):
    own_data.rename(own_data.with_name("elsewhere"))
    code, found = examine()
    assert (code, found["folder"]["state"]) == (1, "missing")


@pytest.mark.parametrize(
    ("subject", "damage"),
    [
        ("shipped weights", lambda patch, home: patch.setattr(shipped, "SHIPPED", home / "nowhere")),
        ("FFmpeg of PyAV", lambda patch, home: patch.setattr(av, "codecs_available", {"aac"})),
        ("libraries", lambda patch, home: patch.setattr(doctor, "package_version", lambda _: "absent")),
        ("cache", lambda patch, home: patch.setenv("BENCH_CACHE", str(home / "bench.toml"))),
        ("settings", lambda patch, home: (home / "bench.toml").write_text("[data")),
    ],
)
def test_what_is_needed_and_not_there_makes_the_exit_code_1(examine, home, monkeypatch, subject, damage):
    damage(monkeypatch, home)
    code, found = examine()
    assert (code, found[subject]["state"]) == (1, "missing")
    assert [name for name, finding in found.items() if finding["state"] == "missing"] == [subject]


def test_what_differs_from_the_lock_is_one_row(examine, monkeypatch):
    assert examine()[1]["lock"]["state"] == "ok"
    monkeypatch.setattr(doctor, "differences", lambda: iter(["numpy 1.0 (lock: 2.0)", "av absent (lock: 3)"]))
    code, found = examine()
    assert (code, found["lock"]["state"], found["lock"]["fix"]) == (0, "note", "make setup")
    assert found["lock"]["value"] == "not the lock's: numpy 1.0 (lock: 2.0), av absent (lock: 3)"


def test_a_lock_that_pins_no_version_is_missing(examine, home, monkeypatch):
    (home / "lock.txt").write_text("numpy>=2\n")
    for name in ("LOCK", "RUN_LOCK"):
        monkeypatch.setattr(f"core.lock.{name}", home / "lock.txt")
    code, found = examine()
    assert (code, found["lock"]["state"]) == (1, "missing")
    assert "numpy>=2" in found["lock"]["value"]


def test_an_installation_without_a_lock_says_so(examine, home, monkeypatch):
    monkeypatch.setattr(doctor, "LOCK", home / "nowhere")
    code, found = examine()
    assert (code, found["lock"]["state"]) == (0, "note")


def test_the_table_names_every_finding(invoke):
    output = invoke("doctor").output
    assert all(name in output for name in (*registered_datasets(), *published_encoders()))


@pytest.mark.parametrize(("free", "state"), [(30_000_000_001, "ok"), (30_000_000_000, "note")])
def test_a_disk_too_small_for_a_store_is_a_note(free: int, state: str, examine, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free}))
    _, found = examine()
    assert found["cache"]["state"] == state
    assert ("BENCH_CACHE" in found["cache"]["fix"]) == (state == "note")
