"""Cells as an array job: submitit's local executor runs them, and a `sinfo` of our own lists partitions."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from core.errors import BenchError
from core.progress import Silent, Tone
from core.resolving import resolve
from core.running.cells import RunInputs, run_hash
from core.running.outcomes import Cell
from core.running.partitions import (
    LONGEST_JOB,
    limit_in_minutes,
    partition_facts,
    partition_of,
    require_cluster,
)
from core.running.slurm import run_array, run_as_task, slurm_executor
from core.runs import open_run
from tests.command_line import assert_one_line
from tests.made_runs import make_run, result

PARTITIONS = (
    "cpu*|12:30:00|(null)\ngpu|2-00:00:00|gpu:a100:4\ngpu|1-00:00:00|gpu:h200:8\nlong|infinite|(null)\n"
)


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The programs of Slurm; sinfo lists three partitions."""
    pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    folder = tmp_path / "bin"
    (tmp_path / "partitions").write_text(PARTITIONS)
    program(folder, "sinfo", f"cat {tmp_path / 'partitions'}")
    for name in ("sbatch", "srun"):
        program(folder, name, "exit 1")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.mark.parametrize(
    ("text", "partition"),
    [("slurm", ""), ("slurm:gpu", "gpu"), ("local", None), ("10.0.0.1:6379", None), ("slurms", None)],
)
def test_slurm_is_told_from_a_ray_cluster(text: str, partition: str | None) -> None:
    assert partition_of(text) == partition


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("1-00:00:00", 1440), ("12:30:00", 750), ("30:00", 30), ("infinite", LONGEST_JOB), ("0:10", 1)],
)
def test_limits_are_read_as_sinfo_prints_them(limit: str, minutes: int) -> None:
    assert limit_in_minutes(limit) == minutes


def test_a_partition_says_how_long_a_job_may_take_and_whether_it_has_gpus(slurm: Path) -> None:
    assert partition_facts("") == (750, False)
    assert partition_facts("gpu") == (1440, True)
    assert partition_facts("long") == (LONGEST_JOB, False)


def test_a_job_asks_for_what_a_cell_needs(slurm: Path, tmp_path: Path) -> None:
    spec = resolve("clip4clip", "avworld-tiny", {"training.threads": 3})
    cells = [Cell(spec, open_run(tmp_path / "runs", spec, str(n))) for n in range(4)]
    asked = slurm_executor(tmp_path / "slurm", cells, 2, "gpu").parameters
    assert (asked["partition"], asked["time"], asked["gpus_per_node"]) == ("gpu", 1440, 1)
    assert (asked["array_parallelism"], asked["cpus_per_task"]) == (2, 3)
    free = slurm_executor(tmp_path / "slurm", cells, None, "").parameters
    assert "partition" not in free and "gpus_per_node" not in free
    assert free["array_parallelism"] == 4


def test_what_is_missing_is_one_line_before_any_data_is_prepared(
    slurm: Path, monkeypatch: pytest.MonkeyPatch, invoke: Callable[..., Result]
) -> None:
    monkeypatch.setattr("core.running.pipeline.fingerprints_of", lambda *_: pytest.fail("data was prepared"))

    def refused(cluster: str) -> Result:
        return invoke("run", "--methods", "gaid", "--datasets", "avworld-tiny", "--cluster", cluster)

    assert_one_line(refused("slurm:gpus"), "unknown partition 'gpus'", "did you mean 'gpu'")
    program(slurm, "sinfo", "echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1")
    assert_one_line(refused("slurm"), "Slurm does not answer", "Unable to contact slurm controller")
    monkeypatch.setenv("PATH", "/nowhere")
    assert_one_line(refused("slurm"), "no sbatch", "login node")
    monkeypatch.setattr("core.extras.find_spec", lambda module: None)
    assert_one_line(refused("slurm"), "uv sync --extra slurm")
    assert_one_line(refused("local"), "uv sync --extra ray")


def test_a_refused_job_is_one_line(slurm: Path, tmp_path: Path) -> None:
    spec = resolve("clip4clip", "avworld-tiny", {})
    cell = Cell(spec, open_run(tmp_path / "runs", spec, "0"))
    with pytest.raises(BenchError, match="Slurm refused the job") as error:
        run_array([cell], slurm_executor(tmp_path / "slurm", [cell], None, ""), Silent())
    assert "\n" not in str(error.value)


class Lines(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str, tone: Tone = "") -> None:
        self.lines.append(line)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_failed_task_cancels_nothing(materials: RunInputs, tmp_path: Path) -> None:
    submitit = pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    cells = []
    for overrides in ({"evaluation.splits": ["nowhere"]}, {"training.epochs": 1}):
        spec = resolve("clip4clip", "avworld-tiny", overrides)
        cells.append(Cell(spec, open_run(tmp_path / "runs", spec, run_hash(spec, materials))))
    executor = submitit.LocalExecutor(tmp_path / "slurm")
    executor.update_parameters(timeout_min=60)  # longer than this test may take
    said = Lines()
    outcomes = {outcome.cell.directory.path: outcome for outcome in run_array(cells, executor, said)}
    failed, well = (outcomes[cell.directory.path] for cell in cells)
    assert (failed.state, well.state) == ("failed", "done")
    assert "no split 'nowhere'" in failed.message
    assert well.cell.directory.is_done()
    assert said.lines[0].startswith("2 tasks submitted as job ")


def test_a_task_that_waited_while_another_finished_its_cell_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, spec = make_run(tmp_path / "runs", {}, [result(40.0)])
    monkeypatch.setattr("core.running.slurm.signal.signal", lambda *_: None)
    monkeypatch.setattr("core.running.slurm.run_and_mark", lambda *_: pytest.fail("it was run again"))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    refused, node = run_as_task(spec, directory.path, "", str(tmp_path))
    assert (refused, bool(node)) == ("", True)


@pytest.mark.slow
def test_a_killed_task_is_a_failed_cell_with_its_reason(materials: RunInputs, tmp_path: Path) -> None:
    submitit = pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    spec = resolve("clip4clip", "avworld-tiny", {"training.epochs": 1})
    cell = Cell(spec, open_run(tmp_path / "runs", spec, run_hash(spec, materials)))

    class Killed(submitit.LocalExecutor):  # type: ignore[misc, name-defined]
        def _submit_command(self, command: str) -> object:
            return super()._submit_command("/bin/false")

    outcome = run_array([cell], Killed(tmp_path / "slurm"), Silent())[0]
    assert outcome.state == "failed"
    assert "task " in outcome.message and "\n" not in outcome.message


def test_a_cluster_of_ray_needs_nothing_of_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.extras.find_spec", lambda module: module)
    monkeypatch.setenv("PATH", "/nowhere")
    require_cluster("10.0.0.1:6379")
