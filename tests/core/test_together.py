"""A cell that two processes train together ends as one process would end it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_line import BENCH
from rich.console import Console
from safetensors.torch import load_file

from core.cells import Materials, digest, prepare_materials, run_cell
from core.progress import Silent
from core.runs import open_run
from core.spec import resolve
from core.together import start

METHOD, WORLD = "tmass", "avworld-tiny"
SETTINGS = {"training.epochs": 2, "training.batch_size": 100, "evaluation.rescoring": ["none"]}


def bench_together(runs: Path) -> str:
    """`bench run --devices 2` as a user runs it; what it printed."""
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    command = [BENCH, "run", "--methods", METHOD, "--datasets", WORLD, "--devices", "2", *settings]
    # An imported product and its entry point lie in different places where a checkout is tested uninstalled.
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, *map(str, command), "--runs", str(runs)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_train_and_one_of_them_scores(materials: Materials, tmp_path: Path) -> None:
    spec = resolve(METHOD, WORLD, SETTINGS)
    alone = open_run(tmp_path / "alone", spec, digest(spec, prepare_materials(spec, Silent(), 1)))
    run_cell(spec, alone, Silent())
    printed = bench_together(tmp_path / "together")
    (folder,) = (tmp_path / "together").glob(f"{METHOD}-*")
    assert folder.name == alone.path.name
    assert json.loads((folder / "status.json").read_text())["state"] == "done"
    assert json.loads((folder / "manifest.json").read_text())["processes"] == 2
    assert printed.count(f"done {folder.name}") == 1
    logs = [
        [json.loads(line)["loss"] for line in (path / "log.jsonl").read_text().splitlines()]
        for path in (folder, alone.path)
    ]
    assert logs[0] == pytest.approx(logs[1], rel=1e-4)
    ours, theirs = (load_file(path / "checkpoint.safetensors") for path in (folder, alone.path))
    for name, tensor in theirs.items():
        # A weight whose gradient is rounding noise is moved by Adam all the same, by a full step.
        torch.testing.assert_close(ours[name], tensor, rtol=0, atol=5e-3)
    assert "(before)" in bench_together(tmp_path / "together")


def test_a_follower_is_silent_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, quiet in (("0", False), ("1", True)):
        monkeypatch.setenv("RANK", rank)
        console = Console()
        start(2, console)
        assert console.quiet == quiet
