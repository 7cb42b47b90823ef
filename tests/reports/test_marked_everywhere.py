"""A run that has not converged has its mark, its note and no p wherever it is compared."""

from pathlib import Path

import pytest

from core.runs import RunDirectory
from reports.ablation import ablation_table
from reports.compare import TwoRuns
from reports.convergence import Doubling
from reports.figures.accuracy import frames_figure
from reports.page.rows import galleries
from reports.provenance import hardware_in_words
from reports.queries import ResultKey
from reports.results import Results
from reports.table import Table
from tests.made_runs import make_run, result
from tests.reports.made_results import results_under

POINTS = {"gaid": 60.0, "xpool": 30.0, "clip4clip": 20.0}


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """GAID still gains from more training, nothing is known of X-Pool, and nothing trains in CLIP4Clip."""
    gains = Doubling(
        dataset="avworld-tiny", method="gaid", mode="frozen", epochs=24, seeds=3, at_n=50.0, at_2n=58.4
    )
    monkeypatch.setattr("reports.convergence.doublings", lambda: (gains,))


def made(root: Path) -> dict[str, RunDirectory]:
    return {
        method: make_run(
            root,
            {"training.epochs": 24},
            [result(points)],
            method=method,
            trained_parameters=1 if method == "clip4clip" else 1_500_000,
        )[0]
        for method, points in POINTS.items()
    }


def marks_notes(found: Results | Table) -> list[str]:
    return [note for note in found.notes if note.startswith("(~)")]


def test_two_runs_compared_are_called_as_in_the_report(tmp_path: Path) -> None:
    runs = made(tmp_path)
    compared = TwoRuns.of(runs["gaid"].path, runs["clip4clip"].path, ResultKey("test"), 3)
    table, *_ = compared.tables()
    report = results_under(tmp_path)
    labels = {run.name: run.label for run in report.runs}
    assert labels[runs["gaid"].path.name] == "GAID (~)"
    names = [f"{run.path.name}, {labels[run.path.name]}" for run in (runs["gaid"], runs["clip4clip"])]
    assert table.notes[0] == f"A: {names[0]}. B: {names[1]}."
    assert marks_notes(table) == marks_notes(report) != []
    assert {row[-1] for row in table.rows} == {"–", ""}
    record = compared.record()
    assert record["first"]["label"] == "GAID (~)"
    assert set(marks_notes(table)) <= set(record["notes"])
    assert {found.p for found in record["measures"]} == {None}


def test_two_runs_of_which_nothing_else_is_known_have_a_p(tmp_path: Path) -> None:
    runs = made(tmp_path)
    table, *_ = TwoRuns.of(runs["xpool"].path, runs["clip4clip"].path, ResultKey("test"), 3).tables()
    assert float(table.rows[0][-1]) < 0.05
    assert marks_notes(table) == []
    assert any(
        "was not measured" in note and note.endswith("for avworld-tiny: the row.") for note in table.notes
    )


def test_the_page_says_it_under_its_comparison(tmp_path: Path) -> None:
    made(tmp_path)
    results = results_under(tmp_path)
    (gallery,) = galleries(results)
    assert {run["label"]: run["notes"] for run in gallery["runs"]} == {
        "CLIP4Clip": [],
        "GAID (~)": marks_notes(results),
        "X-Pool": [],
    }


def test_what_sound_adds_has_no_p_either(tmp_path: Path) -> None:
    prints = {"dataset": "world", "features": "features", "weights": "weights"}
    for method, first in (("gaid", 60.0), ("avigate", 50.0)):
        for audio, points in (("as-is", first), ("muted", 20.0)):
            settings = {"training.epochs": 24, "evaluation.audio": audio}
            make_run(tmp_path, settings, [result(points)], method=method, fingerprints=prints)
    table = ablation_table(results_under(tmp_path))
    assert table is not None
    p = {row[1]: row[-1] for row in table.rows if row[2] == "without sound"}
    assert p["GAID (~)"] == "–"
    assert float(p["AVIGATE"]) < 0.05


def test_a_line_over_the_number_of_frames_has_the_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.convergence.training_settings", lambda spec: {})
    for frames in (6, 12):
        make_run(tmp_path, {"training.epochs": 24, "frames": frames}, [result(20.0)])
    figure = frames_figure(results_under(tmp_path))
    assert not isinstance(figure, str)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["GAID (~), avworld-tiny/test"]


def test_one_thread_is_one_thread(tmp_path: Path) -> None:
    hardware = {"processor": "a processor", "cores": 2, "threads": 1, "gpu": None}
    make_run(tmp_path, {}, [result(20.0)], hardware=hardware)
    (run,) = results_under(tmp_path).runs
    assert hardware_in_words(run) == "a processor, 2 cores, 1 thread, no GPU"
