"""Cells in processes of their own: whatever ends one of them, the others run and the outcome is told."""

import io
import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from core.cli.bars import Bars
from core.resolving import resolve
from core.running.cells import RunInputs, run_hash
from core.running.outcomes import Cell, Outcome
from core.running.places import default_slots, slots, visible_gpus
from core.running.scheduler import run_cells, run_in_child
from core.runs import RunDirectory, open_run
from core.workers import default_workers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def cell(materials: RunInputs, runs: Path, seed: int, **overrides: Any) -> Cell:
    """A cell of CLIP4Clip that is done in a second or two; seeds keep the folders apart."""
    keys = {key.replace("__", "."): value for key, value in overrides.items()}
    spec = resolve("clip4clip", "avworld-tiny", {"training.epochs": 1, "seeds.data": seed, **keys})
    return Cell(spec, open_run(runs, spec, run_hash(spec, materials)))


def run(cells: list[Cell], workers: int = 1) -> tuple[list[Outcome], str]:
    """Outcomes and what was printed."""
    text = io.StringIO()
    return run_cells(cells, workers, Bars(Console(file=text, width=400))), text.getvalue()


@contextmanager
def killed_once(file: Path) -> Iterator[None]:
    """Kills the one running cell as soon as `file` exists, as a machine without memory would."""

    def kill() -> None:
        while not file.exists():
            time.sleep(0.02)
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    yield
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def four(materials: RunInputs, runs: Path) -> tuple[list[Cell], dict[RunDirectory, Outcome], str]:
    """A cell that is refused, one that meets a defect, one that is killed, and one that is well."""
    refused = cell(materials, runs, 1, evaluation__splits=["nowhere"])
    broken = cell(materials, runs, 2)
    (broken.directory.path / "log.jsonl").mkdir()
    killed = cell(materials, runs, 3, training__epochs=500)
    well = cell(materials, runs, 4)
    cells = [refused, broken, killed, well]
    with killed_once(killed.directory.path / "resume.pt"):
        outcomes, text = run(cells)
    return cells, {outcome.cell.directory: outcome for outcome in outcomes}, text


def by_number(four: Any, number: int) -> tuple[Cell, Outcome]:
    cells, outcomes, _ = four
    return cells[number], outcomes[cells[number].directory]


def test_a_cell_that_is_refused_fails_with_its_line(four: Any) -> None:
    mine, outcome = by_number(four, 0)
    assert outcome.state == mine.directory.status()["state"] == "failed"
    assert "no split 'nowhere'; it has train, val, test, test-multi" in outcome.message
    assert not (mine.directory.path / "error.txt").exists()


def test_a_cell_with_a_defect_fails_and_logs_it_whole(four: Any) -> None:
    mine, outcome = by_number(four, 1)
    assert outcome.state == mine.directory.status()["state"] == "failed"
    assert outcome.message.startswith("IsADirectoryError")
    assert "Traceback" in (mine.directory.path / "error.txt").read_text()
    assert str(mine.directory.path / "error.txt") in four[2]


def test_a_cell_whose_process_is_killed_is_marked_as_failed(four: Any) -> None:
    mine, outcome = by_number(four, 2)
    assert outcome.state == mine.directory.status()["state"] == "failed"
    assert "Killed" in outcome.message
    assert "memory" in outcome.message
    assert (mine.directory.path / "resume.pt").exists()


def test_the_cells_after_them_are_run(four: Any) -> None:
    mine, outcome = by_number(four, 3)
    assert outcome.state == mine.directory.status()["state"] == "done"
    assert json.loads((mine.directory.path / "metrics.json").read_text())["results"]


def test_every_outcome_is_one_line_without_a_traceback(four: Any) -> None:
    cells, _, text = four
    assert "Traceback" not in text
    for mine, state in zip(cells, ("failed", "failed", "failed", "done"), strict=True):
        lines = [line for line in text.splitlines() if f"{state} {mine.directory.path.name}" in line]
        assert len(lines) == 1


def test_a_failed_cell_is_tried_again_and_a_cell_in_use_is_left_alone(
    four: Any, materials: RunInputs, runs: Path
) -> None:
    broken, _ = by_number(four, 1)
    (broken.directory.path / "log.jsonl").rmdir()
    in_use = cell(materials, runs, 5)
    with in_use.directory.locked():
        outcomes, _ = run([broken, in_use], workers=2)
    ended = {outcome.cell.directory: outcome for outcome in outcomes}
    assert ended[broken.directory].state == "done"
    assert not (broken.directory.path / "error.txt").exists()
    assert ended[in_use.directory].state == "failed"
    assert "being run by another process" in ended[in_use.directory].message
    assert "\n" not in ended[in_use.directory].message
    assert in_use.directory.status() == {}


def test_as_many_cells_run_at_a_time_as_there_are_cores_and_cells() -> None:
    cores = len(os.sched_getaffinity(0))
    assert default_workers(1) == 1
    assert default_workers(10**6) == cores


def test_cells_are_dealt_out_to_the_gpus_in_turn() -> None:
    assert slots(5, ["0", "3"]) == ["0", "3", "0", "3", "0"]
    assert slots(2, []) == [None, None]


@pytest.mark.parametrize(
    ("named", "count", "visible"),
    [(None, 2, ["0", "1"]), ("3,GPU-ab", 2, ["3", "GPU-ab"]), ("", 0, []), (None, 0, [])],
)
def test_only_gpus_that_this_process_may_use_are_dealt_out(
    monkeypatch: pytest.MonkeyPatch, named: str | None, count: int, visible: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert visible_gpus() == visible
    assert default_slots(64) == (count or default_workers(64))
    assert default_slots(1) == 1


def test_a_cell_sees_its_own_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(
        "core.running.scheduler.run_and_mark", lambda *_: seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
    )
    run_in_child(Any, "1", multiprocessing.Pipe()[1])
    assert seen == ["1"]


def once(file: Path, act: Callable[[], None]) -> threading.Thread:
    """Does something as soon as a file exists."""

    def wait() -> None:
        while not file.exists():
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_a_run_folder_that_is_deleted_fails_its_own_cell_in_one_line(
    materials: RunInputs, runs: Path
) -> None:
    deleted = cell(materials, runs, 6, training__epochs=500)
    beside, after = (cell(materials, runs, seed) for seed in (7, 8))
    folder = deleted.directory.path
    trash = folder.with_name(".trash")  # in one step: nothing is written into a folder that is being emptied
    once(folder / "resume.pt", lambda: shutil.rmtree(folder.rename(trash)))
    outcomes, text = run([deleted, beside, after], workers=2)
    ended = {outcome.cell.directory: outcome for outcome in outcomes}
    assert ended[deleted.directory].state == "failed"
    assert ended[deleted.directory].fixable
    assert f"{folder} was deleted meanwhile" in ended[deleted.directory].message
    assert [ended[one.directory].state for one in (beside, after)] == ["done", "done"]
    assert "Traceback" not in text
    assert not (folder / "spec.json").exists()


def test_a_run_folder_that_was_emptied_while_its_cell_ran_is_not_done_and_runs_again(
    materials: RunInputs, runs: Path
) -> None:
    """A deletion that meets a file which the cell writes just then leaves the folder, without its spec."""
    emptied = cell(materials, runs, 12, training__epochs=200)
    spec = emptied.directory.path / "spec.json"
    once(spec.with_name("resume.pt"), spec.unlink)
    outcomes, _ = run([emptied])
    assert outcomes[0].state == "failed"
    assert f"{emptied.directory.path} was deleted meanwhile" in outcomes[0].message
    again = cell(materials, runs, 12, training__epochs=200)
    assert again.directory.status() == {}
    outcomes, _ = run([again])
    assert outcomes[0].state == "done"


def test_an_error_of_the_parent_ends_the_cells_which_can_continue(
    materials: RunInputs, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, short = cell(materials, runs, 9, training__epochs=500), cell(materials, runs, 10)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("core.running.scheduler.outcome_of", fail)
    with pytest.raises(ZeroDivisionError):
        run([long, short], workers=2)
    assert not multiprocessing.active_children()
    assert long.directory.status()["state"] == "interrupted"


def test_a_cell_whose_code_was_edited_meanwhile_does_not_run(materials: RunInputs, runs: Path) -> None:
    mine = cell(materials, runs, 11)
    outcomes, _ = run([replace(mine, code="0" * 64)])
    assert outcomes[0].state == "failed"
    assert "was edited after this command began" in outcomes[0].message
    assert not (mine.directory.path / "log.jsonl").exists()
