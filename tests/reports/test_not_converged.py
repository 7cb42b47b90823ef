"""A row that more training would change is marked, and no difference from it is called significant."""

from pathlib import Path

import pytest

from core.errors import BenchError
from core.registry import registered_methods
from reports.accuracy import metrics_table
from reports.convergence import Doubling, doublings, write_doublings
from reports.differences import differences_table
from reports.results import Results
from tests.made_runs import make_run, result
from tests.reports.made_results import results_under, row_of

HEADER = "dataset,method,mode,epochs,seeds,at_n,at_2n\n"


def doubling(method: str, at_2n: float, epochs: int = 24) -> Doubling:
    return Doubling(
        dataset="avworld-tiny", method=method, mode="frozen", epochs=epochs, seeds=3, at_n=50.0, at_2n=at_2n
    )


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    """Three methods of which AVIGATE, the best, has not converged."""
    measured = (doubling("avigate", 58.4), doubling("gaid", 51.6))
    monkeypatch.setattr("reports.convergence.doublings", lambda: measured)
    for method, points in (("clip4clip", 20.0), ("gaid", 60.0), ("avigate", 90.0)):
        make_run(tmp_path, {}, [result(points)], method=method)
    return results_under(tmp_path)


def test_it_neither_gets_letters_nor_gives_them(found: Results) -> None:
    table = metrics_table(found, "t2v")
    assert table is not None
    column = list(table.columns).index("R@1")
    won = {row[1]: table.marks[position, column].letters for position, row in enumerate(table.rows)}
    letter = {row[1]: row[2] for row in table.rows}
    assert won == {"AVIGATE (~)": "", "CLIP4Clip": "", "GAID": letter["CLIP4Clip"]}


def test_its_differences_have_intervals_and_no_p(found: Results) -> None:
    best = differences_table(found)
    assert best is not None
    assert row_of(best, "AVIGATE (~)")["delta"] == "reference"
    assert (row_of(best, "GAID")["delta"], row_of(best, "GAID")["p"]) == ("-30.0", "–")
    named = differences_table(found, "GAID")
    assert named is not None
    assert row_of(named, "AVIGATE (~)")["adjusted p"] == "–"
    assert float(row_of(named, "CLIP4Clip")["adjusted p"]) < 0.05


def test_a_note_says_what_was_measured(found: Results) -> None:
    (note,) = [note for note in found.notes if note.startswith("(~)")]
    assert "avigate: 48 epochs instead of 24 change R@1 on the validation split by +8.4 points" in note
    assert "gaid" not in note


@pytest.mark.parametrize(
    ("settings", "marked"),
    [
        ({}, True),
        ({"training.epochs": 12}, True),
        ({"training.epochs": 48}, False),
        ({"training.mode": "finetune"}, False),
    ],
)
def test_it_speaks_of_the_same_training_and_of_shorter_ones(
    settings: dict[str, object], marked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.convergence.doublings", lambda: (doubling("gaid", 58.4),))
    make_run(tmp_path, settings, [result(20.0)])
    (run,) = results_under(tmp_path).runs
    assert run.label.endswith(" (~)") == marked


def test_what_was_measured_is_of_methods_that_exist_and_not_of_one_training_twice() -> None:
    rows = doublings()
    assert {row.method for row in rows} <= registered_methods().keys()
    assert len({(row.dataset, row.method, row.mode, row.epochs) for row in rows}) == len(rows)


@pytest.mark.parametrize(("at_2n", "converged"), [(52.0, True), (48.0, True), (52.1, False), (47.9, False)])
def test_the_limit_is_two_points_either_way(at_2n: float, converged: bool) -> None:
    assert doubling("gaid", at_2n).converged == converged


def test_newer_figures_take_the_place_of_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    path.write_text(HEADER + "avworld,xpool,frozen,24,1,35.8,35.5\navworld-tiny,gaid,frozen,24,1,50,60\n")
    write_doublings([doubling("gaid", 51.0), doubling("gaid", 52.0, epochs=48)], path)
    assert path.read_text() == HEADER + (
        "avworld,xpool,frozen,24,1,35.8,35.5\n"
        "avworld-tiny,gaid,frozen,24,3,50.0,51.0\n"
        "avworld-tiny,gaid,frozen,48,3,50.0,52.0\n"
    )


def test_a_row_that_cannot_be_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    path.write_text(HEADER + "avworld,xpool,frozen,24,1,35.8,35.5\navworld,gaid,frozen,24,1,50,600\n")
    with pytest.raises(BenchError, match=r"measured\.csv, line 3: .*at_2n"):
        doublings(path)
