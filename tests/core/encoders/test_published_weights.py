"""Published weights are found where users and libraries keep them; what is missing is said in one line."""

import os
from pathlib import Path

import huggingface_hub
import pytest
import torch

from core.cli.shell import forbid_downloads
from core.encoders import published
from core.encoders.published import is_offline, obtain, published_encoders, weights_folder
from core.errors import BenchError

TIMM, OPENAI = published_encoders()["ViT-B-32"].repositories


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, without weights and without a network."""
    for name in (published.VARIABLE, *published.OFFLINE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_config_dir", lambda _: str(tmp_path / "config"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(published, "OPENAI_CACHE", tmp_path / "clip")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("a download"))
    return tmp_path


def model_folder(folder: Path, config: str = "config.json", weights: str = "model.safetensors") -> Path:
    folder.mkdir(parents=True)
    (folder / config).write_text('{"model_type": "any"}')
    (folder / weights).touch()
    return folder


def cached(hub: Path, repository: str, *layout: str) -> Path:
    """A model folder as the hub's library caches it."""
    folder = hub / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    return model_folder(folder / "snapshots" / ("0" * 40), *layout)


@pytest.mark.parametrize("place", ["ViT-B-32", TIMM, OPENAI, "clip-vit-base-patch32"])
def test_a_folder_of_the_users_own_is_found_by_each_of_its_names(home, monkeypatch, place):
    folder = model_folder(home / "own" / place)
    monkeypatch.setenv(published.VARIABLE, f"{home / 'elsewhere'}{os.pathsep}{home / 'own'}")
    assert obtain(published_encoders()["ViT-B-32"]) == folder


def test_the_folder_that_bench_toml_names_is_looked_into_behind_the_variables(home, monkeypatch):
    (home / "bench.toml").write_text(f"[weights]\nfolder = '{home / 'said'}'\n")
    entry, said = published_encoders()["ast"], model_folder(home / "said" / "ast")
    assert obtain(entry) == said
    monkeypatch.setenv(published.VARIABLE, str(home / "own"))
    assert obtain(entry) == said
    own = model_folder(home / "own" / "ast")
    assert obtain(entry) == own


def test_a_file_of_openais_is_found_in_every_cache(home, monkeypatch):
    entry = published_encoders()["ViT-B-32"]
    monkeypatch.setenv(published.VARIABLE, str(home / "own"))
    for folder in ("torch/checkpoints", "clip", "own"):  # the later, the earlier it is looked for
        (home / folder).mkdir(parents=True)
        (home / folder / "ViT-B-32.pt").touch()
        assert obtain(entry) == home / folder / "ViT-B-32.pt"


def test_the_cache_of_the_hub_is_found_and_the_users_own_folder_comes_first(home, monkeypatch):
    entry = published_encoders()["ViT-B-32"]
    snapshot = cached(home / "hub", OPENAI)
    assert obtain(entry) == snapshot
    better = cached(home / "hub", TIMM, "open_clip_config.json", "open_clip_model.safetensors")
    assert obtain(entry) == better
    monkeypatch.setenv(published.VARIABLE, str(home / "own"))
    assert obtain(entry) == better
    own = model_folder(home / "own" / "ViT-B-32")
    assert obtain(entry) == own


def test_a_configuration_without_weights_is_no_model(home):
    snapshot = cached(home / "hub", "openai/whisper-base")
    (snapshot / "model.safetensors").unlink()
    assert weights_folder(published_encoders()["whisper-base"]) is None


def test_timms_half_of_a_repository_is_no_clip(home):
    (cached(home / "hub", TIMM) / "config.json").write_text('{"architecture": "vit_base_patch32_clip_224"}')
    assert weights_folder(published_encoders()["ViT-B-32"]) is None


@pytest.mark.parametrize("variable", published.OFFLINE)
def test_offline_nothing_is_downloaded_and_one_line_says_what_is_missing(home, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    monkeypatch.setenv(published.VARIABLE, str(home / "own"))
    assert is_offline()
    with pytest.raises(BenchError) as error:
        obtain(published_encoders()["ViT-B-32"])
    line = str(error.value)
    for part in (TIMM, OPENAI, "ViT-B-32.pt", str(home / "own"), "Hugging Face cache", str(home / "clip")):
        assert part in line
    assert "\n" not in line


def test_a_download_is_announced_in_one_line_and_takes_only_what_is_needed(home, monkeypatch, capsys):
    asked = []

    def download(repository: str, allow_patterns: list[str]) -> str:
        asked.append((repository, allow_patterns))
        weights = allow_patterns[-1]
        if weights != "pytorch_model.bin":  # this repository has no safetensors
            return str(home / "nothing")
        return str(model_folder(home / "snapshot", weights=weights))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert obtain(published_encoders()["wav2vec2-large"]) == home / "snapshot"
    configuration = ["config.json", "preprocessor_config.json"]
    assert asked == [
        ("facebook/wav2vec2-large-960h", [*configuration, "model.safetensors"]),
        ("facebook/wav2vec2-large-960h", [*configuration, "pytorch_model.bin"]),
    ]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "downloading facebook/wav2vec2-large-960h" in lines[0]


def test_without_a_network_the_line_says_so(monkeypatch):
    def download(*_: object, **__: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(BenchError, match="no weights of 'ast' .* failed: no connection$") as error:
        obtain(published_encoders()["ast"])
    assert "\n" not in str(error.value)


def test_offline_reaches_the_libraries_through_their_own_variables(monkeypatch):
    for name in published.OFFLINE:
        monkeypatch.setenv(name, "0")
    forbid_downloads(False)
    assert not is_offline()
    forbid_downloads(True)
    assert is_offline()
    assert all(os.environ[name] == "1" for name in published.OFFLINE)
