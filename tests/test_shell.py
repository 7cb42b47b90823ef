"""Real runs from the shell: interrupted, killed, continued, read again, and what they leave behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import Result

from core.errors import BenchError
from core.progress import Silent
from core.running.cells import RunInputs, run_cell, run_hash
from core.running.outcomes import Outcome
from core.runs import RunDirectory, find_runs
from core.workers import default_workers
from tests.command_line import assert_one_line, started
from tests.naive_metrics import naive_metrics

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EPOCHS = 16
"""Enough that an interrupt finds a cell in training."""

RUN = (
    "run",
    "--methods",
    "clip4clip,gaid",
    "--datasets",
    "avworld-tiny",
    "--set",
    f"training.epochs={EPOCHS}",
)


def wait_until(condition: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the run has not come that far in {seconds:.0f} s"
        time.sleep(0.02)


def is_free(directory: RunDirectory) -> bool:
    """Whether no process runs a cell any more."""
    try:
        with directory.locked():
            return True
    except BenchError:
        return False


@dataclass(frozen=True)
class Ended:
    """How a `bench` command ended, and how it left its cells."""

    code: int
    out: str
    err: str
    states: set[str]
    """Of the cells that had begun."""
    files: set[str]
    """Names of all files in their folders."""


@dataclass(frozen=True)
class Story:
    """One command over two cells, given three times: interrupted, killed, and left alone."""

    runs: Path
    interrupted: Ended
    killed: Ended
    left_alone: Ended


@pytest.fixture(scope="module")
def story(materials: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    runs = folder / "runs"

    def tell(disturb: Callable[[subprocess.Popen[bytes]], None]) -> Ended:
        with started(folder, *RUN, "--runs", str(runs)) as process:
            disturb(process)
            code = process.wait(timeout=240)
        wait_until(lambda: all(is_free(directory) for directory in find_runs(runs)))
        states = {str(directory.status()["state"]) for directory in find_runs(runs)}
        files = {file.name for file in runs.rglob("*")}
        return Ended(code, (folder / "out").read_text(), (folder / "err").read_text(), states, files)

    def while_it_runs(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
        wait_until(lambda: condition() or process.poll() is not None)
        assert process.poll() is None, (folder / "err").read_text()

    def interrupt(process: subprocess.Popen[bytes]) -> None:
        while_it_runs(process, lambda: any(runs.glob("*/resume.pt")))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to every process of the group

    def checkpoints() -> dict[str, str]:
        """What each cell has saved to resume from; a cell may save or finish while this looks."""
        found = {}
        for file in runs.glob("*/resume.pt"):
            with suppress(FileNotFoundError):
                found[file.parent.name] = str(file.stat().st_mtime_ns)
        return found

    def kill(process: subprocess.Popen[bytes]) -> None:
        saved = checkpoints()
        while_it_runs(process, lambda: checkpoints() != saved)
        process.kill()

    return Story(runs, tell(interrupt), tell(kill), tell(lambda process: None))


@pytest.fixture(scope="module")
def done(story: Story) -> Path:
    """The folder of two finished runs."""
    assert story.left_alone.code == 0, story.left_alone.err
    return story.runs


def directories(runs: Path) -> dict[str, RunDirectory]:
    return {directory.path.name.split("-")[0]: directory for directory in find_runs(runs)}


def copied(done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done, tmp_path / "runs"))


def test_ctrl_c_leaves_cells_that_say_so_and_no_traceback(story: Story) -> None:
    ended = story.interrupted
    assert ended.code == 130
    assert "interrupted" in ended.states <= {"interrupted", "done"}
    assert "the same command continues" in ended.out
    assert "Traceback" not in ended.err
    assert "resume.pt" in ended.files
    assert not any(name.endswith(".part") for name in ended.files)


def test_cells_end_when_the_command_is_killed_and_never_say_done(story: Story) -> None:
    ended = story.killed
    assert ended.code == -signal.SIGKILL
    assert ended.states <= {"running", "interrupted", "done"}
    assert "running" in ended.states
    assert "resume.pt" in ended.files


def test_a_disturbed_run_ends_with_the_log_and_the_metrics_of_an_undisturbed_one(
    done: Path, tmp_path: Path
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, default_workers(64) // 2))  # as many as each of two cells gets
    for name, found in directories(done).items():
        expected = RunDirectory(tmp_path / name)
        expected.path.mkdir()
        run_cell(found.read_spec(), expected, Silent())
        assert found.read_json("metrics.json") == expected.read_json("metrics.json")
        assert (found.path / "log.jsonl").read_text() == (expected.path / "log.jsonl").read_text()
    torch.set_num_threads(threads)


def test_a_run_leaves_whole_directories_and_prints_its_tables(story: Story, done: Path) -> None:
    common = {"spec.json", "manifest.json", "metrics.json", "queries.parquet", "log.jsonl", "lock"}
    common |= {"checkpoint.safetensors", "status.json", "top.parquet", "epochs.jsonl"}
    files = {
        name: {p.name for p in directory.path.iterdir()} for name, directory in directories(done).items()
    }
    assert files == {"clip4clip": common, "gaid": common | {"gates.safetensors"}}
    assert all(directory.is_done() for directory in directories(done).values())
    for words in ("Text-to-video, leak-free", "released", "gap", "CLIP4Clip", "GAID", "96 queries"):
        assert words in story.left_alone.out
    assert "Traceback" not in story.left_alone.err


def test_a_run_is_named_by_the_hash_of_its_spec_data_and_weights(done: Path, materials: RunInputs) -> None:
    directory = directories(done)["gaid"]
    assert directory.path.name == f"gaid-avworld-tiny-{run_hash(directory.read_spec(), materials)}"
    assert directory.read_json("manifest.json")["fingerprints"] == materials.fingerprints()


def test_a_manifest_says_where_a_result_comes_from(done: Path) -> None:
    for directory in directories(done).values():
        manifest = directory.read_json("manifest.json")
        assert manifest["packages"]["torch"]
        assert manifest["hardware"]["cores"] == os.cpu_count()
        assert set(manifest["commit"]) == {"sha", "dirty"}
        assert min(manifest[f"{what}_seconds"] for what in ("wall", "train", "index", "query")) > 0
        assert manifest["peak_memory_bytes"] > 2**20
        every = directory.read_spec().training.validate_every
        looks = {epoch for epoch in range(1, EPOCHS + 1) if epoch % every == 0 or epoch == EPOCHS}
        assert manifest["selection_looks"] == len(looks)
        assert manifest["selected_epoch"] in looks


def test_the_log_has_a_line_per_step_and_the_checkpoint_what_was_trained(done: Path) -> None:
    directory = directories(done)["gaid"]
    steps = [json.loads(line)["step"] for line in (directory.path / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) % EPOCHS == 0
    weights = load_file(directory.path / "checkpoint.safetensors")
    assert any(name.startswith("method.fusion") for name in weights)
    assert not any(name.startswith("clip.") for name in weights)  # the towers are frozen


def test_printed_figures_follow_from_the_ranks_of_the_queries(done: Path) -> None:
    for directory in directories(done).values():
        table = pd.read_parquet(directory.path / "queries.parquet")
        for entry in directory.read_json("metrics.json")["results"]:
            protocol = entry["protocol"]
            keys = {key: protocol[key] for key in ("split", "condition", "rescoring")}
            keys["direction"] = entry["direction"]
            rows = table[(table[list(keys)] == list(keys.values())).all(axis=1)]
            for policy in ("expected", "optimistic", "pessimistic"):
                expected = naive_metrics(rows, policy)
                found = {name: entry["metrics"][policy][name] for name in expected}
                assert found == pytest.approx(expected, nan_ok=True)


def test_the_same_command_reads_what_is_finished(
    invoke: Callable[..., Result], story: Story, done: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.glob("*/m*.json")}
    result = invoke(*RUN, "--runs", done)
    assert result.exit_code == 0
    assert result.stdout.count("(already finished)") == 2
    first = story.left_alone.out
    assert first[first.index("Text-to-video") :] in result.stdout
    assert {path: path.stat().st_mtime_ns for path in done.glob("*/m*.json")} == before


@pytest.mark.parametrize(("fixable", "exit_code"), [(False, 1), (True, 2)])
def test_failed_cells_set_the_exit_code_and_the_others_are_reported(
    invoke: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    done: Path,
    tmp_path: Path,
    fixable: bool,
    exit_code: int,
) -> None:
    runs = copied(done, tmp_path)
    directories(runs)["gaid"].set_status("failed", message="no reason")
    monkeypatch.setattr(
        "core.running.pipeline.run_cells",
        lambda cells, *_: [Outcome(cell, "failed", "no reason", fixable) for cell in cells],
    )
    result = invoke(*RUN, "--runs", runs)
    assert result.exit_code == exit_code
    assert "1 of 2 cells failed" in result.stdout
    assert re.search(r"│CLIP4Clip +│", result.stdout)
    assert f"In every run: training.epochs={EPOCHS}" in result.stdout


def test_a_damaged_run_is_named_by_the_command_that_would_read_it(
    invoke: Callable[..., Result], done: Path, tmp_path: Path
) -> None:
    runs = copied(done, tmp_path)
    file = directories(runs)["gaid"].path / "metrics.json"
    file.write_bytes(file.read_bytes()[:-40])
    result = invoke(*RUN, "--runs", runs)
    assert result.exit_code == 2
    (line,) = [line for line in result.stdout.splitlines() if "is damaged" in line]
    assert directories(runs)["gaid"].path.name in line  # the line is cut where the folder's path is long
    assert "│CLIP4Clip" in result.stdout
    assert "│GAID" not in result.stdout
    status = directories(runs)["gaid"].path / "status.json"
    status.write_text("")
    assert_one_line(invoke(*RUN, "--runs", runs, "--dry-run"), str(status), "delete")


def test_a_report_prints_and_writes_tables_figures_and_page(
    invoke: Callable[..., Result], done: Path, tmp_path: Path
) -> None:
    result = invoke("report", "--runs", done, "--out", tmp_path, "--html")
    assert result.exit_code == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"gates.png", "gates.svg", "similarities.png", "calibration.svg", "learning.png"} <= names
    assert {"report.md", "page.html", "text-to-video-leak-free.csv", "video-to-text-leak-free.csv"} <= names
    assert not any(name.endswith(".part") for name in names)
    metrics = directories(done)["gaid"].read_json("metrics.json")["results"][0]["metrics"]["expected"]
    rows = pd.read_csv(tmp_path / "text-to-video-leak-free.csv").set_index(["data", "method"])
    row = rows.loc[("avworld-tiny/test", "GAID")]
    assert float(str(row["R@1"]).split()[0]) == pytest.approx(metrics["R@1"], abs=0.051)
    assert float(row["MnR"]) == pytest.approx(metrics["MnR"], abs=0.051)


def test_a_dry_run_knows_what_is_done(invoke: Callable[..., Result], done: Path) -> None:
    result = invoke(*RUN, "--seeds", "0,1", "--dry-run", "--runs", done)
    assert (result.stdout.count("done"), result.stdout.count("to do")) == (2, 2)
