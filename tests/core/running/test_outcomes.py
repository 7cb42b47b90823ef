"""How a cell ended, told by its folder: whatever became of its process."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core.errors import BenchError
from core.progress import Silent
from core.resolving import resolve
from core.running.outcomes import Cell, outcome_line, outcome_of, run_and_mark
from core.runs import open_run


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    spec = resolve("clip4clip", "avworld-tiny", {})
    return Cell(spec, open_run(tmp_path, spec, "01234567"))


def ending_in(monkeypatch: pytest.MonkeyPatch, cell: Cell, error: BaseException) -> str:
    """Runs the cell into an error; returns why it could not be entered."""

    def run(*_: object) -> None:
        cell.directory.set_status("running")
        raise error

    monkeypatch.setattr("core.running.outcomes.run_cell", run)
    return run_and_mark(cell, Silent())


def test_what_a_user_can_fix_is_marked_so(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ending_in(monkeypatch, cell, BenchError("fix this")) == ""
    outcome = outcome_of(cell, "", "")
    assert (outcome.state, outcome.message, outcome.fixable) == ("failed", "fix this", True)


def test_a_defect_is_logged_whole_and_its_log_is_named(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    ending_in(monkeypatch, cell, ZeroDivisionError("by zero"))
    outcome = outcome_of(cell, "", "")
    assert (outcome.state, outcome.message, outcome.fixable) == (
        "failed",
        "ZeroDivisionError: by zero",
        False,
    )
    log = cell.directory.path / "error.txt"
    assert "Traceback" in log.read_text()
    assert f"(log: {log})" in outcome_line(outcome)


def test_what_a_killed_run_left_half_written_is_removed_by_the_next(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = cell.directory.path / ".checkpoint.safetensors.99999.part"
    half.write_bytes(b"half")
    ending_in(monkeypatch, cell, BenchError("fix this"))
    assert not half.exists()


def test_the_log_of_an_earlier_defect_does_not_outlive_it(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending_in(monkeypatch, cell, ZeroDivisionError())
    ending_in(monkeypatch, cell, BenchError("fix this"))
    assert "log:" not in outcome_line(outcome_of(cell, "", ""))


def test_of_a_killed_cell_the_training_log_is_named(cell: Cell) -> None:
    cell.directory.set_status("running")
    log = cell.directory.path / "log.jsonl"
    log.write_text("{}\n")
    outcome = outcome_of(cell, "", "its process ended with code -9")
    assert cell.directory.status()["state"] == outcome.state == "failed"
    assert outcome_line(outcome).endswith(f"its process ended with code -9  (log: {log})")


def test_an_interrupted_cell_can_continue(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    ending_in(monkeypatch, cell, KeyboardInterrupt())
    assert outcome_of(cell, "", "").state == "interrupted"


def test_a_cell_in_use_is_not_entered(cell: Cell) -> None:
    with cell.directory.locked():
        refused = run_and_mark(cell, Silent())
    outcome = outcome_of(cell, refused, "", where="a node")
    assert "being run by another process" in outcome.message
    assert (outcome.state, outcome.fixable, outcome.where) == ("failed", True, "a node")
    assert cell.directory.status() == {}


def test_a_message_with_brackets_is_printed_as_it_is(cell: Cell) -> None:
    assert "[red]" in outcome_line(outcome_of(cell, "not [red] but blue", ""))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_folder_that_cannot_be_written_any_more_fails_its_cell_in_one_line(
    number: int, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    def run(*_: object) -> None:
        cell.directory.set_status("running")
        monkeypatch.setattr("core.runs.written_whole", refuse)
        cell.directory.set_status("running")

    monkeypatch.setattr("core.running.outcomes.run_cell", run)
    refused = run_and_mark(cell, Silent())
    remedy = "make it writable or choose another folder with --runs"
    assert refused == f"{cell.directory.path} cannot be written any more; {remedy}"
    outcome = outcome_of(cell, refused, "its process ended")
    assert (outcome.state, outcome.message, outcome.fixable) == ("failed", refused, True)
    assert "\n" not in outcome_line(outcome)
    # A process that was killed could say nothing; the parent cannot mark the cell either.
    killed = outcome_of(cell, "", "its process ended (Killed)")
    assert (killed.state, killed.fixable) == ("failed", True)
    assert killed.message == f"its process ended (Killed); {refused}"


def immutable(folder: Path, mark: str) -> bool:
    """Sets (`+i`) or lifts (`-i`) a folder's mark by which not even root may write there; whether it went."""
    found = subprocess.run(["chattr", mark, folder], check=False, capture_output=True)
    return found.returncode == 0


def test_a_folder_that_not_even_root_may_write_fails_its_cell_in_one_line(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("chattr") or not immutable(cell.directory.path, "+i"):
        pytest.skip("this file system has no immutable folders, or the user is not root")
    immutable(cell.directory.path, "-i")

    def run(*_: object) -> None:
        cell.directory.set_status("running")
        immutable(cell.directory.path, "+i")
        cell.directory.set_status("running")

    monkeypatch.setattr("core.running.outcomes.run_cell", run)
    try:
        refused = run_and_mark(cell, Silent())
        outcome = outcome_of(cell, refused, "")
    finally:
        immutable(cell.directory.path, "-i")
    assert "cannot be written any more" in outcome.message
    assert "\n" not in outcome_line(outcome)
