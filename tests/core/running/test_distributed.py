"""A cell that two processes train together ends as one process would end it, killed on the way or not."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from core.progress import Silent
from core.resolving import resolve
from core.running.cells import RunInputs, prepare_inputs, run_cell, run_hash
from core.runs import open_run
from core.torchrun import follows, start
from tests.command_line import BENCH

pytestmark = pytest.mark.slow

METHOD, WORLD = "tmass", "avworld-tiny"
EPOCHS = 3
SETTINGS = {"training.epochs": EPOCHS, "training.batch_size": 100, "evaluation.rescoring": ["none"]}
PATIENCE = 120
"""Seconds that a command may take to get somewhere."""


def begin_together(runs: Path) -> subprocess.Popen[str]:
    """`bench run --devices 2` as a shell starts it: at the head of a process group of its own."""
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    command = [BENCH, "run", "--methods", METHOD, "--datasets", WORLD, "--devices", "2", *settings]
    # An imported product and its entry point lie in different places where a checkout is tested uninstalled.
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, *map(str, command), "--runs", str(runs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        start_new_session=True,
    )


def bench_together(runs: Path) -> str:
    """What the command printed when it had ended well."""
    with begin_together(runs) as process:
        out, err = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 0, err
    return out


def only_run(runs: Path) -> Path:
    (folder,) = runs.glob(f"{METHOD}-*")
    return folder


@dataclass(frozen=True)
class Together:
    folder: Path
    printed: str


@pytest.fixture(scope="module")
def together(materials: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> Together:
    """The cell as two undisturbed processes end it."""
    runs = tmp_path_factory.mktemp("together")
    printed = bench_together(runs)
    return Together(only_run(runs), printed)


def test_two_processes_train_and_one_of_them_scores(together: Together, tmp_path: Path) -> None:
    spec = resolve(METHOD, WORLD, SETTINGS)
    alone = open_run(tmp_path / "alone", spec, run_hash(spec, prepare_inputs(spec, Silent(), 1)))
    run_cell(spec, alone, Silent())
    folder = together.folder
    assert folder.name == alone.path.name
    assert json.loads((folder / "status.json").read_text())["state"] == "done"
    assert json.loads((folder / "manifest.json").read_text())["processes"] == 2
    assert together.printed.count(f"done {folder.name}") == 1
    logs = [
        [json.loads(line)["loss"] for line in (path / "log.jsonl").read_text().splitlines()]
        for path in (folder, alone.path)
    ]
    assert logs[0] == pytest.approx(logs[1], rel=1e-4)
    ours, theirs = (load_file(path / "checkpoint.safetensors") for path in (folder, alone.path))
    for name, tensor in theirs.items():
        # A weight whose gradient is rounding noise is moved by Adam all the same, by a full step.
        torch.testing.assert_close(ours[name], tensor, rtol=0, atol=5e-3)
    assert "(already finished)" in bench_together(folder.parent)


@pytest.mark.slow
def test_killed_after_a_checkpoint_they_continue_bit_for_bit(together: Together, tmp_path: Path) -> None:
    """Only the command's group is killed: the launcher of torch puts the processes into others."""
    with begin_together(tmp_path) as process:
        deadline = time.monotonic() + PATIENCE
        while not list(tmp_path.glob("*/resume.pt")) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    folder = only_run(tmp_path)
    with FileLock(folder / "lock", timeout=PATIENCE):  # the process that holds the cell ends, too
        assert json.loads((folder / "status.json").read_text())["state"] == "running"
        assert 1 <= torch.load(folder / "resume.pt")["progression"]["epoch"] < EPOCHS
    assert "(already finished)" not in bench_together(tmp_path)
    for name in ("checkpoint.safetensors", "log.jsonl", "metrics.json"):
        assert (folder / name).read_bytes() == (together.folder / name).read_bytes(), name


def test_a_follower_is_silent_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, quiet in (("0", False), ("1", True)):
        monkeypatch.setenv("RANK", rank)
        start(2)
        assert follows() == quiet
