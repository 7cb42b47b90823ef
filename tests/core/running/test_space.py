"""How much disk a run folder takes is known before its cell starts: by hand from its tensors and queries."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from core.errors import BenchError
from core.resolving import resolve
from core.running.space import MOMENTS, OTHER_BYTES, TOP_BYTES, require_run_space, run_bytes

TRAINED, STILL = 30, 50
"""Numbers that train, and that do not."""
QUERIES = 7 + 5
"""Captions, and videos, of the scored split."""


class Towers(nn.Module):
    """A retriever with a few numbers."""

    def __init__(self, trained: int = TRAINED) -> None:
        super().__init__()
        self.trained = nn.Parameter(torch.zeros(trained))
        self.still = nn.Parameter(torch.zeros(STILL), requires_grad=False)

    def trained_state(self) -> dict[str, torch.Tensor]:
        return {"trained": self.trained.detach()}


DATA: Any = {
    "train": SimpleNamespace(tokens=range(1000), rows=range(1000)),
    "test": SimpleNamespace(tokens=range(7), rows=range(5)),
}


def bytes_of_a_run(epochs: int, trained: int = TRAINED) -> int:
    spec = resolve("gaid", "avworld", {"training.epochs": epochs})
    return run_bytes(Towers(trained), DATA, spec)  # type: ignore[arg-type]


def results(trained: int = TRAINED, protocols: int = 6) -> int:
    return 4 * trained + TOP_BYTES * protocols * QUERIES + OTHER_BYTES


def test_without_training_only_the_results_are_written() -> None:
    assert bytes_of_a_run(0) == results()


@pytest.mark.parametrize(("trained", "larger"), [(TRAINED, "results"), (1_000_000, "resume")])
def test_with_training_the_old_resume_file_is_there_while_results_or_a_new_one_are_written(
    trained: int, larger: str
) -> None:
    resume = 2 * 4 * trained + MOMENTS * 4 * trained
    beside = {"results": results(trained), "resume": resume}
    assert bytes_of_a_run(1, trained) == resume + beside[larger]
    assert beside[larger] == max(beside.values())


@pytest.mark.parametrize(("short", "refused"), [(0, False), (1, True)])
def test_what_is_in_the_folder_already_need_not_be_free(
    short: int, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"x" * 1000)
    (tmp_path / "folder").mkdir()
    spec = resolve("gaid", "avworld", {"training.epochs": 1})
    free = bytes_of_a_run(1) - 1000 - short
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    if refused:
        with pytest.raises(BenchError, match="are missing"):
            require_run_space(tmp_path, Towers(), DATA, spec)  # type: ignore[arg-type]
    else:
        require_run_space(tmp_path, Towers(), DATA, spec)  # type: ignore[arg-type]
