"""A run as a repository of the Hub: a card with its protocol, weights, figures, and nothing private."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from safetensors.torch import load_file, save_file
from typer.testing import Result

from core.checksums import digests
from core.run_files import DIGESTED, read_manifest
from core.runs import RunDirectory, write_json
from tests.command_line import assert_one_line
from tests.made_runs import make_run, result

CAPTION = "caption 7"
"""What a query of a made run says, and the Hub must not get."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run with weights, whose command holds a path."""
    results = [result(30.0), result(70.0, condition="released"), result(25.0, direction="v2t")]
    directory, _ = make_run(tmp_path / "runs", {}, results, command="bench run --runs /home/someone/secret")
    save_file({"method.logit_scale": torch.tensor(4.6)}, directory.path / "checkpoint.safetensors")
    manifest = directory.read_json("manifest.json")
    write_json(directory.path / "manifest.json", {**manifest, "files": digests(directory.path, DIGESTED)})
    return directory.path


class Offline:
    """A Hub that nobody may talk to."""

    def __init__(self, **_: Any) -> None:
        raise AssertionError("the Hub was called")


@pytest.fixture(autouse=True)
def nothing_is_uploaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.hub.HfApi", Offline)
    monkeypatch.setattr("reports.hub.get_token", lambda: None)


def test_the_folder_is_a_run_without_captions_and_paths(
    run: Path, tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    out = tmp_path / "repository"
    assert invoke("export", "hub", run, "--out", out).exit_code == 0
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {
        ".eval_results/avworld-tiny.yaml",
        "README.md",
        "checkpoint.safetensors",
        "manifest.json",
        "metrics.json",
        "spec.json",
        "status.json",
    }
    assert read_manifest(RunDirectory(out)).parameters == read_manifest(RunDirectory(run)).parameters
    assert load_file(out / "checkpoint.safetensors")["method.logit_scale"] == torch.tensor(4.6)
    texts = "".join((out / name).read_text() for name in files if not name.endswith("safetensors"))
    assert CAPTION not in texts and "secret" not in texts


def test_the_entries_are_the_leak_free_figures_with_their_protocol(
    run: Path, tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    invoke("export", "hub", run, "--out", tmp_path / "a", "--dataset-id", "owner/data")
    (file,) = (tmp_path / "a" / ".eval_results").iterdir()
    entries = parse_eval_result_entries(yaml.safe_load(file.read_text()))
    values = {entry.task_id: entry.value for entry in entries}
    assert values["text_to_video_test_recall_at_1"] == 30.0
    assert values["text_to_video_test_recall_at_5"] == 30.0  # its other queries rank twelfth
    assert {entry.dataset_id for entry in entries} == {"owner/data"}
    assert all("leak-free" in entry.notes and "100 queries" in entry.notes for entry in entries)
    assert 70.0 not in values.values()


def test_the_card_says_what_the_model_is_and_under_which_protocol(
    run: Path, tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    invoke("export", "hub", run, "--out", tmp_path / "a", "--licence", "apache-2.0")
    card = ModelCard.load(tmp_path / "a" / "README.md")
    assert card.data.license == "apache-2.0"
    assert "text-video-retrieval" in card.data.tags
    for words in ("GAID", "30.0", "70.0", "checkpoint chosen by: val", "is generated", "load_run"):
        assert words in card.text


def test_a_dry_run_prints_all_and_writes_nothing(
    run: Path, tmp_path: Path, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    shown = invoke("export", "hub", run, "--dry-run")
    assert shown.exit_code == 0
    assert sorted(tmp_path.rglob("*")) == before
    for words in ("--- README.md", "text_to_video_test_recall_at_1", "would be uploaded: checkpoint.safe"):
        assert words in shown.stdout
    assert "--dataset-id" in shown.stdout and "--licence" in shown.stdout


def test_push_uploads_the_folder_with_the_users_token(
    run: Path, tmp_path: Path, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, dict[str, Any]]] = []

    class Hub:
        def __init__(self, token: str) -> None:
            calls.append(("token", {"token": token}))

        def create_repo(self, name: str, **options: Any) -> str:
            calls.append(("create", {"name": name, **options}))
            return f"https://hub/{name}"

        def upload_folder(self, **options: Any) -> None:
            calls.append(("upload", options))

    monkeypatch.setattr("reports.hub.HfApi", Hub)
    monkeypatch.setattr("reports.hub.get_token", lambda: "mine")
    out = tmp_path / "repository"
    out.mkdir()
    (out / "diary.txt").write_text("the user's own")
    shown = invoke("export", "hub", run, "--out", out, "--repo", "me/gaid", "--push")
    assert "uploaded: https://hub/me/gaid" in shown.stdout
    assert [name for name, _ in calls] == ["token", "create", "upload"]
    assert calls[0][1] == {"token": "mine"}
    assert calls[1][1] == {"name": "me/gaid", "private": True, "exist_ok": True}
    assert calls[2][1]["folder_path"] == out
    assert set(calls[2][1]["allow_patterns"]) == {
        str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and path.name != "diary.txt"
    }

    def refuse(self: Any, name: str, **_: Any) -> None:
        raise OSError("no route to the Hub\nat all")

    monkeypatch.setattr(Hub, "create_repo", refuse)
    refused = invoke("export", "hub", run, "--out", out, "--repo", "me/gaid", "--push")
    assert_one_line(refused, "me/gaid", "no route to the Hub", str(out))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--push",), ("--repo OWNER/NAME",)),
        (("--push", "--repo", "me/gaid"), ("no token", "hf auth login")),
        (("--push", "--repo", "me/gaid", "--dry-run"), ("--dry-run", "--push")),
        (("--repo", "me//x y"), ("--repo 'me//x y'", "OWNER/NAME")),
        (("--repo", "gaid"), ("has no owner",)),
        (("--dataset-id", "a b/c"), ("--dataset-id 'a b/c'",)),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    options: tuple[str, ...], words: tuple[str, ...], run: Path, tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    assert_one_line(invoke("export", "hub", run, "--out", tmp_path / "out", *options), *words)
    assert not (tmp_path / "out").exists()


def test_runs_that_cannot_be_exported_are_refused(
    run: Path, tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    def refused() -> Result:
        return invoke("export", "hub", run, "--out", tmp_path / "out")

    assert_one_line(invoke("export", "hub", run, "--out", run), "a run with its captions", "--out")
    weights = (run / "checkpoint.safetensors").read_bytes()
    (run / "checkpoint.safetensors").write_bytes(weights[:-1] + b"x")
    assert_one_line(refused(), "checkpoint.safetensors is damaged")
    (run / "checkpoint.safetensors").unlink()
    assert_one_line(refused(), "has no checkpoint.safetensors")
    (run / "checkpoint.safetensors").write_bytes(weights)
    spec = json.loads((run / "spec.json").read_text())
    write_json(run / "spec.json", {**spec, "checkpoint": "/data/authors.bin"})
    assert_one_line(refused(), "authors.bin", "trained here")
    assert_one_line(invoke("export", "hub", tmp_path / "nowhere"), "holds no run")
