"""A row that more training would change is marked, and no difference from it is called significant."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BenchError
from core.registry import registered_methods
from reports.accuracy import metrics_table
from reports.convergence import Doubling, doublings, learning, training_of, write_doublings
from reports.differences import differences_table
from reports.header import header_of
from reports.results import Results
from reports.summary import summary_table
from tests.made_runs import make_run, result
from tests.reports.made_results import results_under, row_of

HEADER = "dataset,method,mode,settings,epochs,seeds,at_n,at_2n\n"


def doubling(method: str, at_2n: float, epochs: int = 24, settings: str = "") -> Doubling:
    return Doubling(
        dataset="avworld-tiny",
        method=method,
        mode="frozen",
        settings=settings,
        epochs=epochs,
        seeds=3,
        at_n=50.0,
        at_2n=at_2n,
    )


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    """Three methods of which AVIGATE, the best, has not converged, and nothing trains in CLIP4Clip."""
    measured = (doubling("avigate", 58.4), doubling("gaid", 51.6))
    monkeypatch.setattr("reports.convergence.doublings", lambda: measured)
    for method, points in (("clip4clip", 20.0), ("gaid", 60.0), ("avigate", 90.0)):
        trained = 1 if method == "clip4clip" else 1_500_000
        settings = {"training.epochs": 24}
        make_run(tmp_path, settings, [result(points)], method=method, trained_parameters=trained)
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
    assert note.endswith(
        " avworld-tiny: 48 epochs instead of 24 change R@1 on the validation split by +8.4 points "
        "(AVIGATE, seeds: 3)."
    )
    assert not any("was not measured" in note for note in header_of(found).use)


def only_run(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    measured: Sequence[Doubling],
    settings: dict[str, object],
    **manifest: object,
) -> Results:
    """The report on one run of GAID, after some lengths were doubled."""
    monkeypatch.setattr("reports.convergence.doublings", lambda: tuple(measured))
    make_run(root, settings, [result(20.0)], **manifest)
    return results_under(root)


LATE = (
    doubling("gaid", 58.0),
    doubling("gaid", 51.0, 48),
    doubling("gaid", 58.5, 96),
    doubling("gaid", 49.0, 192),
)
NEVER = (doubling("gaid", 51.0), doubling("gaid", 58.4, 48))
KNOWN = "the shortest length known to have converged is 192 (GAID)"
UNKNOWN = (
    "no length is known to have converged, the longest that was doubled still changed R@1 on the validation"
)


@pytest.mark.parametrize(
    ("measured", "epochs", "words"),
    [
        ([doubling("gaid", 51.6)], 24, None),
        ([doubling("gaid", 51.6)], 25, None),
        (
            [doubling("gaid", 51.6)],
            1,
            "trained for 1 epoch: the shortest length known to have converged is 24",
        ),
        (
            [doubling("gaid", 51.6)],
            0,
            "trained for 0 epochs: the shortest length known to have converged is 24",
        ),
        (
            LATE,
            24,
            "48 epochs instead of 24 change R@1 on the validation split by +8.0 points (GAID, seeds: 3)",
        ),
        (LATE, 48, f"trained for 48 epochs: {KNOWN}"),  # its own doubling changed little, that of 96 did not
        (LATE, 100, f"trained for 100 epochs: {KNOWN}"),
        (LATE, 192, None),
        (LATE, 1000, None),
        (NEVER, 24, f"trained for 24 epochs: {UNKNOWN} split (GAID +8.4 points from 48 to 96)"),
        (
            NEVER,
            48,
            "96 epochs instead of 48 change R@1 on the validation split by +8.4 points (GAID, seeds: 3)",
        ),
        (NEVER, 96, f"trained for 96 epochs: {UNKNOWN}"),
        ([], 1, None),
        ([], 0, "trained for 0 epochs: nothing was trained (GAID)"),
    ],
)
def test_a_run_has_converged_from_the_shortest_length_on_after_which_little_changes(
    measured: Sequence[Doubling],
    epochs: int,
    words: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = only_run(tmp_path, monkeypatch, measured, {"training.epochs": epochs})
    (run,) = found.runs
    assert run.label.endswith(" (~)") == (words is not None)
    notes = [note for note in found.notes if note.startswith("(~)")]
    assert len(notes) == (words is not None)
    assert all(f" avworld-tiny{', ' if 'trained' in words else ': '}{words}" in note for note in notes)


@pytest.mark.parametrize(
    ("settings", "measured"),
    [
        ({"seeds": 3, "evaluation.memory_budget": 7, "training.validate_every": 7}, True),
        ({"training.lr_new": 1e-2}, False),
        ({"training.batch_size": 16}, False),
        ({"training.schedule": "constant"}, False),
        ({"training.mode": "finetune"}, False),
        ({"config.fusion": "none"}, False),
        ({"frames": 6}, False),
        ({"recipe": "authors"}, False),
    ],
)
def test_a_measurement_says_nothing_of_another_training(
    settings: dict[str, object], measured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = only_run(tmp_path, monkeypatch, NEVER, {**settings, "training.epochs": 1})
    assert found.runs[0].label.endswith(" (~)") == measured
    line = (
        "was not measured (`python -m benchmarks.convergence RUNS --write` does) for avworld-tiny: the row."
    )
    for said in (header_of(found).use, summary_notes(found)):
        assert any(line in sentence for sentence in said) == (not measured)


def summary_notes(found: Results) -> Sequence[str]:
    table = summary_table(found)
    assert table is not None
    return table.notes


def test_other_settings_have_measurements_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [*NEVER, doubling("gaid", 51.0, 12, settings="fusion=none")]
    found = only_run(tmp_path, monkeypatch, own, {"config.fusion": "none", "training.epochs": 12})
    assert "(~)" not in found.runs[0].label
    assert not any("was not measured" in note for note in summary_notes(found))


def test_where_nothing_trains_nothing_has_to_converge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The logit scale alone changes no order."""
    for epochs in (0, 1):
        root = tmp_path / str(epochs)
        found = only_run(root, monkeypatch, NEVER, {"training.epochs": epochs}, trained_parameters=1)
        assert "(~)" not in found.runs[0].label
        found = only_run(root / "other", monkeypatch, [], {"training.epochs": epochs}, trained_parameters=1)
        assert not any("was not measured" in note for note in summary_notes(found))


def test_many_rows_make_one_short_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods = ("avigate", "gaid", "tmass", "xpool")
    monkeypatch.setattr("reports.convergence.doublings", lambda: tuple(doubling(m, 51.0) for m in methods))
    for method in methods:
        make_run(tmp_path, {"training.epochs": 1}, [result(20.0)], method=method)
    (note,) = [note for note in results_under(tmp_path).notes if note.startswith("(~)")]
    assert note.endswith("known to have converged is 24 (AVIGATE, GAID, T-MASS, X-Pool).")


def test_many_rows_that_were_not_measured_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.convergence.doublings", lambda: (doubling("gaid", 51.0),))
    make_run(tmp_path, {"training.epochs": 24}, [result(20.0)])
    for frames in (4, 6, 8, 10):
        make_run(tmp_path, {"training.epochs": 24, "frames": frames}, [result(20.0)])
    (note,) = [note for note in summary_notes(results_under(tmp_path)) if "was not measured" in note]
    assert note.endswith("for avworld-tiny: 4 rows of GAID.")


def test_scoring_on_other_data_leaves_a_training_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = only_run(tmp_path, monkeypatch, NEVER, {"training.epochs": 1}).runs
    elsewhere = run.spec.model_copy(update={"dataset": "didemo", "trained_on": "avworld-tiny"})
    assert learning(replace(run, spec=elsewhere)) == learning(run)
    assert learning(replace(run, spec=elsewhere.model_copy(update={"trained_on": None}))) is None


def test_what_was_measured_is_of_methods_that_exist_and_not_of_one_training_twice() -> None:
    rows = doublings()
    assert {row.method for row in rows} <= registered_methods().keys()
    assert len(set(map(training_of, rows))) == len(rows)


@pytest.mark.parametrize(("at_2n", "converged"), [(52.0, True), (48.0, True), (52.1, False), (47.9, False)])
def test_the_limit_is_two_points_either_way(at_2n: float, converged: bool) -> None:
    assert doubling("gaid", at_2n).converged == converged


def test_newer_figures_take_the_place_of_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    path.write_text(HEADER + "avworld,xpool,frozen,,24,1,35.8,35.5\navworld-tiny,gaid,frozen,,24,1,50,60\n")
    write_doublings([doubling("gaid", 51.0), doubling("gaid", 52.0, epochs=48)], path)
    assert path.read_text() == HEADER + (
        "avworld,xpool,frozen,,24,1,35.8,35.5\n"
        "avworld-tiny,gaid,frozen,,24,3,50.0,51.0\n"
        "avworld-tiny,gaid,frozen,,48,3,50.0,52.0\n"
    )


def test_a_row_that_cannot_be_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    path.write_text(HEADER + "avworld,xpool,frozen,,24,1,35.8,35.5\navworld,gaid,frozen,,24,1,50,600\n")
    with pytest.raises(BenchError, match=r"measured\.csv, line 3: .*at_2n"):
        doublings(path)
