"""What a tracker gets of a cell: its log, its looks and its measures, and never a reason to fail."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from core.errors import BenchError
from core.progress import Silent, Tone
from core.running.outcomes import Cell
from core.running.trackers import OPENERS, TrackerName, finite_figures, require_tracker
from core.running.tracking import Mirror, mirrored
from core.runs import RunDirectory
from tests.made_runs import make_run, result

STEPS = [{"step": n, "loss": 1 / n, "rate_factor": 0.5, "note": "text"} for n in range(1, 5)]


class Remembered:
    """A tracker that remembers what it was told."""

    cells: dict[str, "Remembered"]

    def __init__(self, root: Path, name: str, spec: Mapping[str, Any]) -> None:
        self.spec, self.logged, self.measures, self.done = dict(spec), [], None, None
        type(self).cells[name] = self

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        self.logged.append((step, dict(figures)))

    def finish(self, step: int, measures: Mapping[str, float], *, done: bool) -> None:
        self.measures, self.done = dict(measures), done


class Lines(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str, tone: Tone = "") -> None:
        self.lines.append(line)


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A finished cell that can be made to look like a running one; `wandb` is the tracker that remembers."""
    directory, spec = make_run(tmp_path / "runs", {}, [result(40.0), result(35.0, direction="v2t")])
    monkeypatch.setattr(Remembered, "cells", {}, raising=False)
    monkeypatch.setitem(OPENERS, "wandb", Remembered)  # type: ignore[arg-type]
    monkeypatch.setattr("core.running.tracking.require_tracker", lambda name: None)
    return Cell(spec, directory)


def write_log(cell: Cell, records: list[dict[str, Any]], end: str = "") -> None:
    text = "".join(json.dumps(record) + "\n" for record in records) + end
    (cell.directory.path / "log.jsonl").write_text(text)


def test_each_step_is_mirrored_once_while_the_cell_runs(cell: Cell) -> None:
    cell.directory.set_status("running")
    mirror = Mirror("wandb", Silent())
    mirror.follow([cell])
    write_log(cell, STEPS[:2], end='{"step": 3, "lo')  # the third is being written
    mirror.look()
    mirror.look()
    seen = Remembered.cells[cell.directory.path.name]
    assert [step for step, _ in seen.logged] == [1, 2]
    assert seen.logged[1][1] == {"train/loss": 0.5, "train/rate_factor": 0.5}
    assert seen.spec["method"] == "gaid"
    write_log(cell, STEPS[:1])  # it is continued from its first step
    mirror.look()
    write_log(cell, STEPS)
    mirror.look()
    assert [step for step, _ in seen.logged] == [1, 2, 3, 4]
    assert seen.done is None


def test_a_finished_cell_ends_with_its_looks_and_its_measures(cell: Cell) -> None:
    write_log(cell, STEPS)
    look = {"epoch": 1, "recall_at_1": 12.5}
    (cell.directory.path / "epochs.jsonl").write_text(json.dumps(look) + "\n")
    with mirrored("wandb", Silent()) as mirror:
        mirror.follow([cell])
    seen = Remembered.cells[cell.directory.path.name]
    assert seen.logged[-1] == (4, {"select/epoch": 1.0, "select/recall_at_1": 12.5})
    assert seen.measures == {
        "test/leak-free/none/t2v/R@1": 40.0,
        "test/leak-free/none/t2v/undefined": 0.0,
        "test/leak-free/none/v2t/R@1": 35.0,
        "test/leak-free/none/v2t/undefined": 0.0,
    }
    assert seen.done


def test_a_cell_that_failed_ends_without_measures_and_one_that_never_began_is_not_opened(
    cell: Cell, tmp_path: Path
) -> None:
    cell.directory.set_status("failed", message="no")
    write_log(cell, STEPS[:1])
    waiting = RunDirectory(tmp_path / "runs" / "waiting")
    waiting.path.mkdir()
    with mirrored("wandb", Silent()) as mirror:
        mirror.follow([cell, Cell(cell.spec, waiting)])
    assert set(Remembered.cells) == {cell.directory.path.name}
    seen = Remembered.cells[cell.directory.path.name]
    assert (seen.measures, seen.done) == ({}, False)


def test_a_tracker_that_fails_is_one_line_and_costs_nothing_else(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, step: int, figures: Mapping[str, float]) -> None:
        raise ConnectionError("the server\nis gone")

    monkeypatch.setattr(Remembered, "log", fail)
    write_log(cell, STEPS)
    said = Lines()
    with mirrored("wandb", said) as mirror:
        mirror.follow([cell])
    (line,) = said.lines
    assert "--track wandb" in line and "(the server is gone)" in line and cell.directory.path.name in line
    assert cell.directory.is_done()


def test_without_a_tracker_nothing_is_followed(cell: Cell) -> None:
    with mirrored(None, Silent()) as mirror:
        mirror.follow([cell])
    assert mirror.cells == []


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("trackio", "uv pip install trackio"),  # no extra: it keeps Pillow below what the lock pins
        ("wandb", "uv sync --extra wandb"),
        ("tensorboard", "uv sync --extra tensorboard"),
    ],
)
def test_a_tracker_that_is_not_installed_is_one_line_with_its_remedy(
    name: TrackerName, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.extras.find_spec", lambda module: None)
    with pytest.raises(BenchError, match=rf"--track {name} needs .*: {remedy}$") as error:
        require_tracker(name)
    assert "\n" not in str(error.value)


def test_figures_are_finite_numbers() -> None:
    record = {"a": 1, "b": 0.5, "c": float("nan"), "d": float("inf"), "e": "text", "f": True, "g": None}
    assert finite_figures(record) == {"a": 1.0, "b": 0.5}


@pytest.mark.slow
def test_tensorboard_reads_back_what_was_mirrored(cell: Cell) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write_log(cell, STEPS)
    for _ in range(2):  # a continued cell replaces what it had
        with mirrored("tensorboard", Silent()) as mirror:
            mirror.follow([cell])
    root = cell.directory.path.parent
    events = EventAccumulator(str(root / "tensorboard" / cell.directory.path.name)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [
        (n, pytest.approx(1 / n)) for n in range(1, 5)
    ]
    assert [e.value for e in events.Scalars("test/leak-free/none/t2v/R@1")] == [40.0]


@pytest.mark.slow
def test_wandb_keeps_an_offline_run(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    monkeypatch.undo()
    monkeypatch.setenv("WANDB_MODE", "offline")
    write_log(cell, STEPS)
    said = Lines()
    with mirrored("wandb", said) as mirror:
        mirror.follow([cell])
    assert said.lines == []
    (kept,) = (cell.directory.path.parent / "wandb").glob("offline-run-*/*.wandb")
    words = (b"train/loss", b"test/leak-free/none/t2v/R@1", b"gaid")
    deadline = time.monotonic() + 60  # another process writes it
    while not all(word in unblocked(kept.read_bytes()) for word in words):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def unblocked(log: bytes) -> bytes:
    """A log in blocks of 32 KiB without the 7 bytes at the start of each, which may split a word."""
    return b"".join(log[start + 7 : start + 2**15] for start in range(0, len(log), 2**15))


class TrackioStandIn(ModuleType):
    """What `--track trackio` uses of trackio (tried with 0.43), which the lock's Pillow keeps out of here."""

    def __init__(self) -> None:
        super().__init__("trackio")
        self.opened: dict[str, Any] = {}
        self.rows: list[tuple[int | None, dict[str, float]]] = []
        self.finished = False

    def init(
        self,
        project: str,
        name: str | None = None,
        *,
        config: dict[str, Any] | None = None,
        resume: str = "never",
        embed: bool = True,
        auto_log_gpu: bool | None = None,
        auto_log_cpu: bool | None = None,
    ) -> "TrackioStandIn":
        self.opened = {"project": project, "name": name, "config": config, "resume": resume}
        assert (embed, auto_log_gpu, auto_log_cpu) == (False, False, False)
        return self

    def log(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append((step, metrics))

    def finish(self) -> None:
        self.finished = True


def test_trackio_gets_the_log_and_the_measures(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    trackio = TrackioStandIn()
    monkeypatch.setitem(sys.modules, "trackio", trackio)
    write_log(cell, STEPS)
    said = Lines()
    with mirrored("trackio", said) as mirror:
        mirror.follow([cell])
    assert said.lines == []
    opened = trackio.opened
    assert (opened["name"], opened["resume"]) == (cell.directory.path.name, "allow")
    assert opened["config"]["method"] == "gaid"
    assert [step for step, _ in trackio.rows] == [1, 2, 3, 4, 4]
    assert trackio.rows[1][1] == {"train/loss": 0.5, "train/rate_factor": 0.5}
    assert trackio.rows[4][1]["test/leak-free/none/t2v/R@1"] == 40.0
    assert trackio.finished
