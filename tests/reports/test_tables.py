"""The tables of a report: means and spreads over seeds, the leak gap, dashes for what does not exist."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from core.errors import BenchError
from core.evaluation.measures import MEASURES
from reports.accuracy import leak_table, metrics_table
from reports.differences import differences_table
from reports.table import number, signed
from reports.tables import all_tables, gate_table, rescoring_table, strata_table
from tests.made_runs import make_run, query_rows, result
from tests.reports.made_results import results_under, row_of

SEEDS = {0: (40.0, 61.0), 1: (43.0, 60.0), 2: (38.5, 65.5)}
"""Seed -> R@1 leak-free and released."""


@pytest.fixture
def three_seeds(tmp_path: Path) -> Any:
    for seed, (query, released) in SEEDS.items():
        entries = [result(query), result(released, condition="released"), result(query / 2, direction="v2t")]
        make_run(tmp_path, {"seeds.initialisation": seed}, entries, train_seconds=60.0 + seed)
    make_run(tmp_path, {}, [result(20.0)], method="clip4clip")
    return results_under(tmp_path)


def half_width(values: np.ndarray[Any, Any]) -> float:
    """Half of the 95 % interval of a mean over seeds and queries `(S, Q)`, by a loop over resamples."""
    rng = np.random.default_rng(0)
    seeds, queries = values.shape
    means = [
        values[np.ix_(rng.integers(0, seeds, seeds), rng.integers(0, queries, queries))].mean()
        for _ in range(4000)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(high - low) / 2


def hits(points: float) -> np.ndarray[Any, Any]:
    """What 100 queries add to R@1 in a made run, in points."""
    rows = query_rows(result(points))
    ties = rows["rank_pessimistic"] - rows["rank_optimistic"]
    return np.where(rows["rank_optimistic"] == 1, 100 / (1 + ties), 0.0)


def test_a_row_is_the_mean_over_seeds_with_the_interval_over_seeds_and_queries(three_seeds: Any) -> None:
    table = metrics_table(three_seeds, "t2v")
    assert table is not None
    row = row_of(table, "GAID")
    query = np.array([value for value, _ in SEEDS.values()])
    assert row["seeds"] == "3"
    low, high = map(float, row["95 %"].split(" to "))
    assert float(row["R@1"]) == pytest.approx(query.mean(), abs=0.051)
    assert (high - low) / 2 == pytest.approx(half_width(np.stack([hits(value) for value in query])), abs=0.7)
    assert low < query.mean() < high
    assert row["n"] == "100"
    ranks = [query_rows(result(value)) for value in query]
    assert row["MnR"] == number(float(np.mean([rows["rank_expected"].mean() for rows in ranks])))
    assert row["MdR"] == number(float(np.mean([rows["rank_expected"].median() for rows in ranks])))
    assert set(MEASURES) <= set(table.columns)
    assert (row["M trained"], row["train s"], row["index s"], row["query ms"], row["peak GB"]) == (
        "1.50",
        "61",
        "2.50",
        "4.00",
        "1.00",
    )
    assert len(table.rows) == 2


def test_the_released_condition_stands_beside_with_the_gap(three_seeds: Any) -> None:
    table = leak_table(three_seeds)
    row = row_of(table, "GAID")
    query = np.array([value for value, _ in SEEDS.values()])
    released = np.array([value for _, value in SEEDS.values()])
    assert row["t2v leak-free"] == number(query.mean())
    assert row["t2v released"] == number(released.mean())
    assert row["t2v gap"] == signed(released.mean() - query.mean())
    difference = np.mean([hits(r) - hits(q) for q, r in SEEDS.values()], axis=0)
    assert float(row["t2v detectable"]) == pytest.approx(2.8016 * stats.sem(difference), abs=0.05)


def test_what_was_not_scored_is_a_dash(three_seeds: Any) -> None:
    row = row_of(leak_table(three_seeds), "CLIP4Clip")
    assert (row["t2v released"], row["t2v gap"], row["t2v detectable"]) == ("–", "–", "–")
    assert (row["v2t leak-free"], row["v2t released"]) == ("–", "–")


def test_directions_do_not_mix(three_seeds: Any) -> None:
    table = metrics_table(three_seeds, "v2t")
    assert table is not None
    assert table.title.startswith("Video-to-text")
    assert row_of(table, "GAID")["R@1"].startswith(number(float(np.mean([q / 2 for q, _ in SEEDS.values()]))))
    assert len(table.rows) == 1


def test_a_run_scored_only_as_released_has_no_leak_free_figure(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(70.0, condition="released", undefined=7)])
    assert metrics_table(results_under(tmp_path), "t2v") is None
    table = leak_table(results_under(tmp_path))
    row = row_of(table, "GAID")
    assert (row["seeds"], row["t2v leak-free"], row["t2v gap"]) == ("1", "–", "–")
    assert row["t2v released"] == "undefined (7 of 100)"
    assert any(note.startswith("undefined:") for note in table.notes)


def test_splits_and_configurations_have_rows_of_their_own(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(10.0), result(20.0, split="test-multi")])
    make_run(tmp_path, {"config.fusion": "sample"}, [result(30.0)])
    table = metrics_table(results_under(tmp_path), "t2v")
    assert table is not None
    found = {(row[0], row[1]): row[5] for row in table.rows}
    assert found == {
        ("avworld-tiny/test", "GAID"): "10.0",
        ("avworld-tiny/test-multi", "GAID"): "20.0",
        ("avworld-tiny/test", "GAID (fusion=sample)"): "30.0",
    }


def test_one_name_for_two_galleries_is_two_rows(tmp_path: Path) -> None:
    make_run(tmp_path, {"frames": 6}, [result(10.0, gallery="884 videos")])
    make_run(tmp_path, {"frames": 8}, [result(20.0, gallery="1000 videos")])
    table = metrics_table(results_under(tmp_path), "t2v")
    assert table is not None
    assert {row[0] for row in table.rows} == {"avworld-tiny/test #884 ", "avworld-tiny/test #1000"}
    assert differences_table(results_under(tmp_path)) is None


def test_letters_name_the_rows_that_a_row_beats(tmp_path: Path) -> None:
    for fusion, points in (("none", 20.0), ("sample", 24.0), ("frame", 60.0)):
        make_run(tmp_path, {"config.fusion": fusion}, [result(points)])
    table = metrics_table(results_under(tmp_path), "t2v")
    assert table is not None
    column = list(table.columns).index("R@1")
    letter = {row[1]: row[2] for row in table.rows}
    won = {row[1]: table.marks[position, column] for position, row in enumerate(table.rows)}
    # Made runs hit nested sets of queries: 4 differing queries give p = 1/8, 36 a p near zero.
    assert won["GAID"].letters == "".join(
        sorted(letter[name] for name in ("GAID (fusion=none)", "GAID (fusion=sample)"))
    )
    assert won["GAID (fusion=sample)"].letters == won["GAID (fusion=none)"].letters == ""
    assert [won[name].place for name in ("GAID", "GAID (fusion=sample)", "GAID (fusion=none)")] == [
        "best",
        "second",
        "",
    ]


def test_differences_are_paired_and_held_against_the_best_or_the_one_that_is_named(tmp_path: Path) -> None:
    for fusion, points in (("none", 20.0), ("sample", 26.0), ("frame", 60.0)):
        make_run(tmp_path, {"config.fusion": fusion}, [result(points)])
    best = differences_table(results_under(tmp_path))
    assert best is not None
    assert row_of(best, "GAID")["delta"] == "reference"
    assert row_of(best, "GAID (fusion=none)")["delta"] == "-40.0"
    table = differences_table(results_under(tmp_path), against="GAID (fusion=none)")
    assert table is not None
    row = row_of(table, "GAID (fusion=sample)")
    difference = hits(26.0) - hits(20.0)
    assert row["delta"] == "+6.0"
    assert float(row["detectable"]) == pytest.approx(2.8016 * stats.sem(difference), abs=0.05)
    assert float(row["p"]) == pytest.approx(2 / 2**6, abs=1e-4)
    assert row["adjusted p"] == row["p"]
    low, high = (float(bound) for bound in row["95 % interval"].split(" to "))
    assert (high - low) / 2 == pytest.approx(half_width(difference[None]), abs=0.6)
    with pytest.raises(BenchError, match=r"did you mean 'GAID \(fusion=sample\)'"):
        differences_table(results_under(tmp_path), against="GAID (fusion=sampl)")


CEILINGS = {
    "avworld-tiny": {
        "test": {
            "pixels only": {"all": 50.0, "needed": 25.0, "silent": 100.0, "partial": 30.0},
            "everything": {"all": 99.5, "needed": 100.0, "silent": 100.0, "partial": 98.0},
        }
    }
}


def test_strata_stand_in_the_worlds_order_above_their_ceilings(tmp_path: Path) -> None:
    make_run(tmp_path, {"seeds.data": 0}, [result(55.0, strata={"silent": 90.0, "needed": 20.0})])
    make_run(tmp_path, {"seeds.data": 1}, [result(50.0, strata={"silent": 70.0, "needed": 30.0})])
    table = strata_table(results_under(tmp_path, CEILINGS))
    assert table is not None
    assert list(table.columns) == ["data", "method", "n", "all", "needed", "silent"]
    assert [list(row) for row in table.rows] == [
        ["avworld-tiny/test", "GAID", "100", "52.5", "25.0", "80.0"],
        ["avworld-tiny/test", "ceiling: pixels only", "–", "50.0", "25.0", "100.0"],
        ["avworld-tiny/test", "ceiling: everything", "–", "99.5", "100.0", "100.0"],
    ]


def test_no_strata_no_table(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0)])
    assert strata_table(results_under(tmp_path, CEILINGS)) is None


def test_rescoring_stands_beside_the_plain_scores_with_what_it_uses(tmp_path: Path) -> None:
    entries = [result(40.0), result(44.0, rescoring="dsl"), result(42.0, rescoring="qb-norm")]
    entries += [result(30.0, direction="v2t"), result(31.0, direction="v2t", rescoring="dsl")]
    entries += [result(99.0, condition="released", rescoring="dsl")]
    make_run(tmp_path, {}, entries)
    table = rescoring_table(results_under(tmp_path))
    assert table is not None
    row = row_of(table, "GAID")
    assert [row[f"t2v {kind}"] for kind in ("none", "dsl", "qb-norm")] == ["40.0", "44.0", "42.0"]
    assert [row.get(f"v2t {kind}", "–") for kind in ("none", "dsl", "qb-norm")] == ["30.0", "31.0", "–"]
    assert [
        note.startswith(f"{kind}: what {kind} uses")
        for note, kind in zip(table.notes, ("dsl", "qb-norm"), strict=False)
    ] == [True, True]
    make_run(tmp_path / "plain", {}, [result(40.0)])
    assert rescoring_table(results_under(tmp_path / "plain")) is None


def test_gates_average_over_seeds(tmp_path: Path) -> None:
    for seed, value in ((0, 0.9), (1, 0.8)):
        auroc = {"trained": {"audible": value, "within partial": 1.0}, "untrained": {"audible": 0.5}}
        make_run(tmp_path, {"seeds.data": seed}, [result(1.0)], gates={"test": {"auroc": auroc}})
    make_run(tmp_path, {}, [result(1.0)], method="clip4clip")
    table = gate_table(results_under(tmp_path), "auroc")
    assert table is not None
    assert list(table.columns) == ["data", "method", "gate", "n", "seeds", "audible", "within partial"]
    assert [list(row)[2:] for row in table.rows] == [
        ["trained", "2", "2", "0.850", "1.000"],
        ["untrained", "2", "2", "0.500", "–"],
    ]


def test_without_gates_there_is_no_table_of_them(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(1.0)])
    results = results_under(tmp_path)
    assert gate_table(results, "auroc") is None
    titles = [table.title for table in all_tables(results)]
    assert titles == ["Text-to-video, leak-free", "Leak-free and released R@1 side by side"]


def test_every_table_has_the_rows_in_one_order_and_says_how_many_queries(tmp_path: Path) -> None:
    for method, points in (("tmass", 60.0), ("gaid", 20.0), ("clip4clip", 40.0)):
        entries = [result(points, strata={"needed": points}), result(points, direction="v2t")]
        make_run(tmp_path, {}, [*entries, result(points, rescoring="dsl")], method=method)
    tables = all_tables(results_under(tmp_path))
    assert len(tables) >= 5
    for table in tables:
        names = list(dict.fromkeys(row[1] for row in table.rows))
        assert names == ["CLIP4Clip", "GAID", "T-MASS"], table.title
        assert "n" in table.columns
