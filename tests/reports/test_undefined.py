"""Figures that do not exist, or that few queries give, are said to be so."""

from pathlib import Path

import pytest

from reports.accuracy import leak_table, metrics_table
from reports.table import number, rounded
from reports.tables import rescoring_table
from tests.made_runs import make_run, result
from tests.reports.made_results import results_under, row_of


@pytest.mark.parametrize(
    ("value", "text"), [(12.345, "12.3"), (float("nan"), "–"), (None, "–"), (0.0, "0.0")]
)
def test_a_figure_that_does_not_exist_is_a_dash(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (20.55, 1, "20.6"),
        (75.15, 1, "75.2"),
        (sum([0.1] * 3) + 20.25, 1, "20.6"),
        (100 * 0.2055, 1, "20.6"),
        (-20.55, 1, "-20.6"),
        (-0.04, 1, "0.0"),
        (2.675, 2, "2.68"),
        (0.5, 0, "1"),
    ],
)
def test_halves_are_rounded_away_from_zero_however_they_were_added_up(
    value: float, digits: int, text: str
) -> None:
    assert str(rounded(value, digits)) == number(value, digits) == text


def test_a_figure_of_undefined_pairs_has_no_gap_and_no_rank(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0), result(80.0, condition="released", undefined=17)])
    make_run(tmp_path, {}, [result(30.0), result(50.0, condition="released")], method="tmass")
    table = leak_table(results_under(tmp_path))
    assert table is not None
    row = row_of(table, "GAID")
    assert (row["t2v released"], row["t2v gap"], row["t2v detectable"]) == ("undefined (17 of 100)", "–", "–")
    assert row_of(table, "T-MASS")["t2v gap"] == "+20.0"


def test_few_queries_have_no_interval_and_a_line_that_says_why(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(20.0, queries=5)])
    table = metrics_table(results_under(tmp_path), "t2v")
    assert table is not None
    row = row_of(table, "GAID")
    assert (row["R@1"], row["95 %"], row["n"]) == ("20.0", "–", "5")
    assert any("fewer than 30 queries" in note for note in table.notes)


def test_dual_softmax_in_video_to_text_is_a_dash_with_its_reason_where_it_changes_nothing(
    tmp_path: Path,
) -> None:
    entries = [result(40.0), result(44.0, rescoring="dsl")]
    entries += [result(30.0, direction="v2t"), result(30.0, direction="v2t", rescoring="dsl")]
    make_run(tmp_path, {}, entries)
    table = rescoring_table(results_under(tmp_path))
    assert table is not None
    assert row_of(table, "GAID")["v2t dsl"] == "–"
    assert any(note.startswith("v2t dsl") and "by construction" in note for note in table.notes)
