"""From cells to outcomes: what cells share is prepared once, and what cannot be prepared stops no other."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from core.cli.bars import Bars
from core.errors import BenchError
from core.progress import Progress
from core.resolving import resolve
from core.running.cells import RunInputs
from core.running.outcomes import Cell, Outcome
from core.running.pipeline import execute
from core.runs import RunDirectory, open_run, write_json
from core.spec import RunSpec


def cells(**overrides: Any) -> list[RunSpec]:
    """GAID with two seeds and a cell of CLIP4Clip, on the small world."""
    keys = {key.replace("__", "."): value for key, value in overrides.items()}
    gaid = [resolve("gaid", "avworld-tiny", {"seeds.data": seed, **keys}) for seed in (0, 1)]
    return [gaid[0], resolve("clip4clip", "avworld-tiny", {}), gaid[1]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cells that were given to processes, which pretend that all is well."""
    given: list[str] = []

    def pretend(waiting: list[Cell], *_: object) -> list[Outcome]:
        given.extend(cell.directory.path.name for cell in waiting)
        return [Outcome(cell, "done") for cell in reversed(waiting)]

    monkeypatch.setattr("core.running.pipeline.run_cells", pretend)
    return given


def quiet() -> Bars:
    return Bars(Console(file=io.StringIO(), width=400))


def test_outcomes_stand_in_the_order_of_the_cells(
    run: list[str], materials: RunInputs, tmp_path: Path
) -> None:
    outcomes = execute(cells(), tmp_path, 1, None, quiet())
    assert [outcome.cell.spec for outcome in outcomes] == cells()
    assert len(set(run)) == 3


def test_cells_that_differ_in_seeds_only_are_prepared_once(
    run: list[str], materials: RunInputs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def prepare(spec: RunSpec, *_: object) -> RunInputs:
        asked.append(spec.method)
        return materials

    monkeypatch.setattr("core.running.pipeline.prepare_inputs", prepare)
    execute(cells(), tmp_path, 1, None, quiet())
    assert asked == ["gaid", "clip4clip"]


def test_a_cell_whose_data_cannot_be_prepared_stops_no_other(
    run: list[str], materials: RunInputs, tmp_path: Path
) -> None:
    screen = quiet()
    outcomes = execute(cells(audio_encoder="of-magic"), tmp_path, 1, None, screen)
    assert [(outcome.state, outcome.fixable) for outcome in outcomes] == [
        ("failed", True),
        ("done", False),
        ("failed", True),
    ]
    assert "unknown audio encoder 'of-magic'" in outcomes[0].message
    assert screen.console.file.getvalue().count("failed gaid-avworld-tiny  unknown audio encoder") == 2
    assert [path.name for path in tmp_path.iterdir()] == run


def test_where_no_cell_can_be_prepared_the_first_reason_is_raised(run: list[str], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="unknown audio encoder 'of-magic'"):
        execute(cells(audio_encoder="of-magic")[::2], tmp_path, 1, None, quiet())
    assert not list(tmp_path.iterdir())


def test_with_a_cluster_the_cells_go_there(
    run: list[str], materials: RunInputs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[tuple[int, int | None, str]] = []

    def send(waiting: list[Cell], workers: int | None, address: str, progress: Progress) -> list[Outcome]:
        sent.append((len(waiting), workers, address))
        return [Outcome(cell, "done") for cell in waiting]

    monkeypatch.setattr("core.running.pipeline.run_on_cluster", send)
    execute(cells(), tmp_path, 2, "10.0.0.9:6379", quiet())
    assert (sent, run) == ([(3, 2, "10.0.0.9:6379")], [])


def finish(path: Path, code: str, **prints: str) -> None:
    """Leaves in a run folder what a finished cell leaves there, made by some code."""
    directory = RunDirectory(path)
    write_json(path / "manifest.json", {"fingerprints": {**prints, "code": code}, "started": "2026-01-01"})
    directory.set_status("done")


@pytest.mark.parametrize("keep_old", [False, True])
def test_cells_of_other_code_are_run_again_or_read_as_they_are(
    keep_old: bool, run: list[str], materials: RunInputs, tmp_path: Path
) -> None:
    prints = {key: value for key, value in materials.fingerprints().items() if key != "code"}
    old = open_run(tmp_path, cells()[0], "01234567")
    finish(old.path, "0" * 64, **prints)
    screen = quiet()
    outcomes = execute([cells()[0], cells()[2]], tmp_path, 1, None, screen, keep_old)
    said = screen.console.file.getvalue()
    if keep_old:
        assert outcomes[0].cell.directory.path.samefile(old.path)
        assert len(run) == 1
        assert f"done {old.path.name}  (already finished, by other code)" in said
    else:
        assert len(run) == 2
        assert "1 of 2 cells were run with other code and are run again; --keep-old reads them" in said


def test_a_cell_on_other_data_is_no_older_run_of_this_one(
    run: list[str], materials: RunInputs, tmp_path: Path
) -> None:
    prints = {key: value for key, value in materials.fingerprints().items() if key != "code"}
    old = open_run(tmp_path, cells()[0], "01234567")
    finish(old.path, "0" * 64, **{**prints, "dataset": "another"})
    execute([cells()[0]], tmp_path, 1, None, quiet(), keep_old=True)
    assert len(run) == 1
