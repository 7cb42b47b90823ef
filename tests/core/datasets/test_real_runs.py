"""A small real data set is trained and scored from its media files to its metrics, in every condition."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from typer.testing import Result

from core.cli.bars import Bars
from core.datasets.locations import Location, save_location
from core.errors import BenchError
from core.progress import Silent
from core.resolving import resolve
from core.running.announcing import Announcer
from core.running.cells import prepare_inputs, run_cell
from core.runs import RunDirectory
from tests.command_line import assert_one_line
from tests.core.datasets import small_copies as small
from tests.core.datasets.small_copies import TEST, TRAIN, sentences
from tests.core.media_files import tone, write_media

pytestmark = pytest.mark.slow

SMALL = {
    "backbone": "avworld",
    "audio_encoder": "avworld-whisper",
    "frames": 4,
    "frame_sampling": "segment-centres",
    "text_tokens": 8,
    "config.audio_projection": "linear-norm",
    "training.mode": "text-tuned",
    "training.epochs": 1,
    "training.batch_size": 2,
    "evaluation.rescoring": ["none"],
    "data.holdout": 0.2,
}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small MSR-VTT with real media, known to a project of its own, and a cache of its own."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    folder = small.msrvtt_clip4clip(tmp_path / "data")
    small.make_media((folder / "MSRVTT_Videos").glob("*.mp4"))
    save_location("msrvtt", Location(annotations=folder, videos=folder))
    return folder


def video(root: Path, name: str) -> Path:
    return root / "MSRVTT_Videos" / f"{name}.mp4"


def run(folder: Path, method: str = "gaid", **overrides: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metrics and the manifest of a cell."""
    spec = resolve(method, "msrvtt", {**SMALL, **{k.replace("__", "."): v for k, v in overrides.items()}})
    directory = RunDirectory(folder)
    folder.mkdir()
    run_cell(spec, directory, Silent())
    assert directory.is_done()
    metrics, manifest = (directory.read_json(f"{name}.json") for name in ("metrics", "manifest"))
    return dict(metrics), dict(manifest)


def of_direction(metrics: dict[str, Any], direction: str) -> dict[str, Any]:
    found = [
        r
        for r in metrics["results"]
        if (r["direction"], r["protocol"]["condition"]) == (direction, "leak-free")
    ]
    assert len(found) == 1
    return found[0]


def test_a_whole_data_set_names_its_protocol_and_its_files(tmp_path: Path) -> None:
    metrics, manifest = run(tmp_path / "run", text_tokens=5)
    protocol = of_direction(metrics, "t2v")["protocol"]
    assert (protocol["queries"], protocol["gallery"], protocol["text_tokens"]) == (3, 3, 5)
    # The sentences have four words, so with both marks six tokens.
    cut = protocol["data"].pop("captions cut")
    assert cut.startswith(f"12 of 12 train: {TRAIN[0]} (sentence 0 of {TRAIN[0]} ...); ")
    assert "; and 2 more, 2 of 2 val: " in cut and f", 3 of 3 test: {TEST[0]} (" in cut
    assert protocol["data"].pop("clips no track").startswith("5: video0 (no audio track); ")
    assert protocol["data"] == {
        "missing": "fail",
        "resize": "antialiased",
        "frames_as": "raw",
        "reader": "own",
        "channels": "mean",
        "sound_end": "picture",
        "only": "all",
        "holdout": 0.2,
        "train": "9k",
        "test set": "1k-A",
        "captions per video": "train 3, val 1, test 1",
        "sound": "own tracks",
    }
    files = {"MSRVTT_data.json", "MSRVTT_train.9k.csv", "MSRVTT_JSFUSION_test.csv"}
    assert set(manifest["annotation_files"]) == files
    assert all(len(digest) == 64 for digest in manifest["annotation_files"].values())


@pytest.mark.parametrize("how", ["no file", "no picture"])
def test_a_missing_and_an_undecodable_video_end_the_run_and_nothing_stays_half(
    how: str, root: Path, tmp_path: Path
) -> None:
    lost = video(root, TEST[1])
    lost.unlink() if how == "no file" else lost.write_bytes(b"<html>")
    with pytest.raises(BenchError, match=rf"1 of .*{TEST[1]}"):
        run(tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.parametrize("how", ["no file", "no picture"])
def test_a_miss_keeps_the_counts_and_ranks_last(how: str, root: Path, tmp_path: Path) -> None:
    lost = video(root, TEST[1])
    lost.unlink() if how == "no file" else lost.write_bytes(b"<html>")
    video(root, TRAIN[0]).unlink()
    metrics, _ = run(tmp_path / "run", data__missing="count-as-miss")
    for direction in ("t2v", "v2t"):
        result = of_direction(metrics, direction)
        assert (result["protocol"]["queries"], result["protocol"]["gallery"]) == (3, 3)
        assert all(m["R@1"] <= 100 * 2 / 3 + 1e-9 for m in result["metrics"].values())
        assert all(m["R@5"] == 100 and m["MnR"] >= (1 + 1 + 3) / 3 for m in result["metrics"].values())
        assert result["protocol"]["data"]["missing"].startswith("count-as-miss: ")
        assert "1 of 3 test" in result["protocol"]["data"]["missing"]


def test_dropping_shrinks_the_gallery_and_changes_the_fingerprints(root: Path, tmp_path: Path) -> None:
    whole_metrics, whole = run(tmp_path / "whole", "clip4clip")
    video(root, TEST[1]).unlink()
    metrics, manifest = run(tmp_path / "run", "clip4clip", data__missing="drop")
    before, after = (of_direction(m, "t2v")["protocol"] for m in (whole_metrics, metrics))
    assert (after["queries"], after["gallery"]) == (2, 2)
    assert after["gallery_fingerprint"] != before["gallery_fingerprint"]
    assert manifest["fingerprints"]["dataset"] != whole["fingerprints"]["dataset"]
    assert after["data"]["missing"].startswith("drop: 1 of 3 test videos")


def test_options_are_part_of_the_hash_but_share_the_decoded_videos(tmp_path: Path) -> None:
    specs = [resolve("gaid", "msrvtt", {**SMALL, "data.holdout": share}) for share in (0.2, 0.5)]
    one, other = (prepare_inputs(spec, Silent(), workers=1) for spec in specs)
    assert one.store.folder == other.store.folder
    assert specs[0].digest("x") != specs[1].digest("x")
    assert len(one.dataset.splits["val"].videos) < len(other.dataset.splits["val"].videos)


def test_before_a_run_lines_say_what_is_there_and_what_is_not(root: Path) -> None:
    def said(**options: Any) -> str:
        console = Console(width=200, record=True, file=StringIO())
        overrides = {**SMALL, **{f"data.{key}": value for key, value in options.items()}}
        Announcer(Bars(console)).listed([resolve(m, "msrvtt", overrides) for m in ("gaid", "tmass")])
        return console.export_text()

    assert said() == "msrvtt: train 4 · val 2 · test 3; sound: own tracks\n"
    video(root, TEST[0]).unlink()
    lost = f"1 of 3 test videos cannot be used (drop): {TEST[0]} (no file {TEST[0]}.mp4 under {root})"
    assert said(missing="drop") == f"msrvtt: train 4 · val 2 · test 3; sound: own tracks\nmsrvtt: {lost}\n"
    assert said() == ""  # preparing refuses, and says why


def test_a_run_says_what_is_missing_before_it_decodes_anything(
    invoke: Callable[..., Result], root: Path, tmp_path: Path
) -> None:
    video(root, TEST[0]).unlink()
    run = ("run", "--methods", "gaid,tmass", "--datasets", "msrvtt", "--runs", tmp_path / "runs")
    assert_one_line(invoke(*run), "1 of 3 test videos", "video6.mp4", "--missing count-as-miss")
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "cache" / "stores").exists()
    assert "to do" in invoke(*run, "--missing", "drop", "--dry-run").stdout


def test_captions_that_the_tower_cannot_read_whole_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="reads 40 tokens, not 77; pass --set text_tokens=40"):
        run(tmp_path / "run", text_tokens=77)


@pytest.mark.parametrize("kind", ["sound", "states"])
def test_a_run_says_where_sound_apart_came_from(kind: str, root: Path, tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    audio.mkdir()
    for name in (*TRAIN, *TEST[:2]):
        if kind == "states":
            torch.save(torch.randn(1, 400, 128), audio / f"{name}.pt")
        else:
            write_media(audio / f"{name}.wav", sound=[tone(500, 0, 1, 1.0, 16_000)], format=None)
    save_location("msrvtt", Location(annotations=root, videos=root, audio=audio))
    metrics, manifest = run(tmp_path / "run")
    what = {"sound": "separate files", "states": "encoder states from files"}[kind]
    counts = "4 of 4 train, 2 of 2 val, 2 of 3 test"
    assert of_direction(metrics, "t2v")["protocol"]["data"]["sound"] == f"{what} for {counts} videos"
    how = {"sound": "encoded from the sound", "states": "from files"}[kind]
    assert manifest["audio_states"] == how


def test_a_folder_of_ones_own_is_dealt_out_and_trained_on(tmp_path: Path) -> None:
    names = [f"ä clip {i}.mkv" for i in range(10)]
    small.make_media(tmp_path / "mine" / name for name in names)
    lines = [json.dumps({"video": n, "caption": s}) for n in names for s in sentences(n, 2)]
    small.write_lines(tmp_path / "words.jsonl", lines)
    save_location("folder", Location(annotations=tmp_path / "words.jsonl", videos=tmp_path / "mine"))
    spec = resolve("gaid", "folder", {k: v for k, v in SMALL.items() if k != "data.holdout"})
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    run_cell(spec, directory, Silent())
    protocol = directory.read_json("metrics.json")["results"][0]["protocol"]
    assert (protocol["queries"], protocol["gallery"]) == (4, 2)
    assert protocol["data"]["splits"] == "20% of the videos are test"
