"""A checkpoint of each hosted method is scored from a folder of test clips, with no CLIP on the machine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel
from typer.testing import Result

from core.errors import BenchError
from core.progress import Silent
from core.registry import find_method, registered_methods
from core.running.cells import prepare_inputs, run_cell, run_hash
from core.running.matrix import from_command_line
from core.runs import open_run
from core.settings import write_setting
from core.spec import RunSpec
from core.training.checkpoints import assignments
from tests.authors_checkpoints import BOUND, CONFIG, SOUND, WITH_AST, checkpoint_of
from tests.command_line import assert_one_line
from tests.core.media_files import tone, write_media

pytestmark = pytest.mark.slow

HOSTED = sorted(
    name for name, method in registered_methods().items() if method.authors and name not in ("cae_av",)
)
"""CAE-AV is ours, TEFAL's code was never released."""
QUICK = ("avigate", "gaid", "xpool")
"""Those that are tried every time; the others with the slow tests."""


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three test clips with captions, a cache beside them, and a small audio encoder."""
    folder = tmp_path_factory.mktemp("media")
    draw = np.random.default_rng(1)
    (folder / "videos").mkdir()
    lines = ["video,caption,split"]
    for number in range(3):
        sound = tone(300 + 200 * number, 0.0, 3.0, 3.0, 16_000)
        frames = draw.integers(0, 256, (30, 32, 40, 3), np.uint8)
        write_media(folder / "videos" / f"{number}.mkv", frames, sound=[sound])
        lines.append(f"{number}.mkv,a film of number {number},test")
    (folder / "captions.csv").write_text("\n".join(lines))
    whisper(folder / "whisper")
    return folder


@pytest.fixture
def clips(media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that says where the test clips are; offline, with no weights on the machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(media / "cache"))
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "bench.toml").write_text("")
    places = {"videos": str(media / "videos"), "annotations": str(media / "captions.csv")}
    write_setting("data", "folder", places)
    return tmp_path


def whisper(folder: Path) -> None:
    """A small audio encoder of the width that the checkpoints ask for."""
    config = WhisperConfig(
        d_model=SOUND, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        max_source_positions=100, vocab_size=64, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None,
        begin_suppress_tokens=None,
    )  # fmt: skip
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)


def cell(name: str, file: Path, flags: dict[str, Any], *sets: str) -> RunSpec:
    """The only cell of `bench run --methods NAME --datasets folder --checkpoint FILE`."""
    flags = {"methods": [name], "datasets": ["folder"], **flags}
    (found,) = from_command_line("default", flags, sets, assignments(file, [name])).cells
    return found


def saved(name: str, folder: Path) -> Path:
    torch.save({"state_dict": checkpoint_of(name), "epoch": 5}, folder / "model.pth")
    return folder / "model.pth"


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in HOSTED]
)
def test_a_checkpoint_is_scored_from_a_folder_of_test_clips(name: str, clips: Path, media: Path) -> None:
    torch.manual_seed(0)
    flags: dict[str, Any] = {}
    sets: list[str] = []
    if name not in WITH_AST and find_method(name).Config().model_dump().get("fusion", "x") != "none":
        flags = {"audio_encoder": [str(media / "whisper")]}
    if not find_method(name).authors.towers:  # type: ignore[union-attr]
        flags |= {"backbone": ["avworld"]}  # the authors' encoders are others
        sets = ["text_tokens=40"]
    spec = cell(name, saved(name, clips), flags, *sets)
    assert spec.recipe == "authors"
    assert {key: spec.config[key] for key in CONFIG.get(name, {})} == CONFIG.get(name, {})
    assert {key: getattr(spec, key) for key in BOUND.get(name, {})} == BOUND.get(name, {})
    inputs = prepare_inputs(spec, Silent(), workers=1)
    assert set(inputs.dataset.splits) == {"test"}
    directory = open_run(clips / "runs", spec, run_hash(spec, inputs))
    run_cell(spec, directory, Silent())
    results = json.loads((directory.path / "metrics.json").read_text())["results"]
    assert {entry["protocol"]["condition"] for entry in results} == {"leak-free", "released"}
    assert all(entry["protocol"]["queries"] == 3 for entry in results)
    different = results[0]["protocol"]["differs_from_authors"]
    assert not any(key.startswith(("config.", "training.", "data.")) for key in different), different


def test_what_does_not_fit_is_answered_with_the_option_that_would(clips: Path) -> None:
    file = saved("clip4clip", clips)
    spec = cell("clip4clip", file, {}, "config.transformer_layers=4")
    with pytest.raises(BenchError, match=r"missing keys.*pass --set config\.transformer_layers=2"):
        run(spec, clips)
    file = saved("tmass", clips)
    with pytest.raises(BenchError, match=r"misshapen.*pass --set frames=4"):
        run(cell("tmass", file, {"frames": ["6"]}), clips)
    with pytest.raises(BenchError, match=r"its keys are those of .*tmass.*pass --methods"):
        run(cell("clip4clip", file, {}), clips)


def run(spec: RunSpec, folder: Path) -> None:
    inputs = prepare_inputs(spec, Silent(), workers=1)
    run_cell(spec, open_run(folder / "runs", spec, run_hash(spec, inputs)), Silent())


def test_a_flag_and_an_assignment_win_over_the_file(clips: Path) -> None:
    file = saved("tmass", clips)
    assert cell("tmass", file, {}).frames == 4
    assert cell("tmass", file, {"frames": ["6"]}).frames == 6
    assert cell("tmass", file, {}, "frames=8", "data.resize=antialiased").data["resize"] == "antialiased"
    assert cell("tmass", file, {}).data["resize"] == "tensor"


def test_training_on_test_clips_alone_is_one_line(clips: Path) -> None:
    spec = cell("clip4clip", saved("clip4clip", clips), {}, "training.epochs=1")
    with pytest.raises(BenchError, match=r"folder has no split 'train'; it has test"):
        run(spec, clips)


def test_the_dry_run_shows_both_recipes(invoke: Callable[..., Result], clips: Path) -> None:
    result = invoke(
        "run", "--methods", "xpool", "--datasets", "folder", "--recipe", "authors", "--dry-run", COLUMNS="200"
    )
    assert_one_line(result, "folder has no split 'train'; it has test")
    rows = [line.split("│") for line in result.stdout.splitlines() if "│" in line]
    found = {cells[1].strip(): [cell.strip() for cell in cells[2:4]] for cells in rows if len(cells) > 3}
    assert found["data.resize"] == ["antialiased", "tensor"]
    assert found["data.reader"] == ["own", "opencv"]
    assert found["training.selection"] == ["val", "test-best"]


def test_towers_of_a_checkpoint_need_a_checkpoint(invoke: Callable[..., Result], clips: Path) -> None:
    result = invoke("run", "--methods", "clip4clip", "--datasets", "folder", "--backbone", "checkpoint")
    assert_one_line(result, "pass --checkpoint FILE")
