"""A finished run as a model: the scores that it has stored, from its folder alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from core import load_run
from core.errors import BenchError
from core.run_files import CHECKPOINT
from core.running.cells import RunInputs
from core.running.trained import TrainedRun
from core.runs import RunDirectory
from core.supervisor import without_script


@pytest.fixture(scope="module")
def run(trained_run: RunDirectory) -> TrainedRun:
    return load_run(trained_run.path)


@pytest.fixture
def copied(trained_run: RunDirectory, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_run.path, tmp_path / "run"))


def test_files_and_texts_get_the_scores_that_the_run_has_stored(
    run: TrainedRun, materials: RunInputs, tmp_path: Path
) -> None:
    stored = pd.read_parquet(run.directory.path / "queries.parquet").query("direction == 't2v'").head(12)
    files = {video.id: video for video in materials.dataset.splits["test"].videos}
    found = run.encode_files([files[name] for name in stored["video"]], tmp_path)
    scores = run.score(run.encode_texts(list(stored["text"])), found)
    expected = torch.tensor(stored["own_score"].to_numpy())
    torch.testing.assert_close(scores.diagonal(), expected, atol=1e-5, rtol=0, check_dtype=False)


def test_a_file_that_does_not_decode_is_named_and_left_out(run: TrainedRun, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(BenchError, match=r"none of 1 files can be used; first: .*broken.mp4: "):
        run.encode_files([tmp_path / "broken.mp4"], tmp_path / "work")


def test_an_empty_text_is_refused(run: TrainedRun) -> None:
    with pytest.raises(BenchError, match="an empty text finds nothing"):
        run.encode_texts(["a dog", " "])


def remove(folder: Path) -> None:
    (folder / CHECKPOINT).unlink()


def truncate(folder: Path) -> None:
    (folder / CHECKPOINT).write_bytes((folder / CHECKPOINT).read_bytes()[:-8])


def interrupt(folder: Path) -> None:
    RunDirectory(folder).set_status("interrupted")


def other_towers(folder: Path) -> None:
    manifest = (folder / "manifest.json").read_text(encoding="utf-8")
    (folder / "manifest.json").write_text(manifest.replace('"clip": "', '"clip": "0'), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (remove, "has no checkpoint.safetensors"),
        (truncate, "checkpoint.safetensors is damaged"),
        (interrupt, "interrupted; the same `bench run` continues it"),
        (other_towers, "was trained with other weights of 'avworld'"),
        (shutil.rmtree, "holds no run"),
    ],
)
def test_what_is_no_finished_run_is_one_line(
    change: Callable[[Path], None], words: str, copied: Path
) -> None:
    change(copied)
    with pytest.raises(BenchError, match=words):
        load_run(copied)


def test_a_process_does_not_run_the_script_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType

    script = ModuleType("__main__")
    script.__file__ = "a-script.py"
    monkeypatch.setitem(sys.modules, "__main__", script)
    with without_script():
        assert not hasattr(script, "__file__")
    assert script.__file__ == "a-script.py"
