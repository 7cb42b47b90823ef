"""Two runs compared: the same figures as scipy, and only on the same queries."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from core.errors import BenchError
from core.evaluation.measures import MEASURES
from core.runs import RunDirectory
from reports.collect import read_run
from reports.compare import TwoRuns, changed_tables, difference_table
from reports.queries import ResultKey
from reports.table import number
from tests.made_runs import make_run, query_rows, result

PROTOCOL = ResultKey("test")


def two_runs(root: Path, **second: Any) -> tuple[RunDirectory, RunDirectory]:
    """30 and 38 hits in 100 queries, on sets of queries that are drawn apart."""
    first, _ = make_run(root, {"frames": 6}, [result(30.0)])
    other, _ = make_run(root, {"frames": 8}, [result(38.0, **second)])
    query_rows(result(38.0), seed=1).to_parquet(other.path / "queries.parquet", index=False)
    return first, other


def test_the_difference_is_tested_on_the_queries_that_changed(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    table = difference_table(read_run(first), read_run(second), PROTOCOL)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    a, b = (
        (pd.read_parquet(run.path / "queries.parquet")["rank_expected"] == 1).to_numpy(float)
        for run in (first, second)
    )
    exact = stats.binomtest(int((b > a).sum()), int((a != b).sum())).pvalue
    assert (row["measure"], row["A"], row["B"], row["B - A"]) == ("R@1", "30.0", "38.0", "+8.0")
    assert float(row["p"]) == pytest.approx(exact, abs=0.02)
    assert float(row["detectable"]) == pytest.approx(280.16 * stats.sem(b - a), abs=0.05)
    low, high = (float(bound) for bound in row["95 % interval"].split(" to "))
    resampled = stats.bootstrap(
        (100 * (b - a),), np.mean, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (low, high) == pytest.approx((resampled.low, resampled.high), abs=1.1)


def test_changed_queries_stand_on_the_side_that_found_them(tmp_path: Path) -> None:
    first, second = (read_run(run) for run in two_runs(tmp_path))
    ours, theirs = (pd.read_parquet(run.directory.path / "queries.parquet") for run in (first, second))
    gained, lost = changed_tables(first.answered(PROTOCOL), second.answered(PROTOCOL), shown=100)
    better = theirs["rank_expected"] < ours["rank_expected"]
    worse = theirs["rank_expected"] > ours["rank_expected"]
    assert {row[0] for row in gained.rows} == set(ours["text"][better])
    assert {row[0] for row in lost.rows} == set(ours["text"][worse])
    assert {tuple(row[2:]) for row in gained.rows} == {("12.0", "1.0")}
    few, _ = changed_tables(first.answered(PROTOCOL), second.answered(PROTOCOL), shown=3)
    assert len(few.rows) == 3
    assert few.notes[0].startswith(f"R@1 changed: {int(better.sum())} queries")
    assert "the 3 in which" in few.notes[0]


def refused(first: Path, second: Path, protocol: ResultKey = PROTOCOL) -> str:
    with pytest.raises(BenchError) as error:
        TwoRuns.of(first, second, protocol, 10).tables()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_unequal_galleries_are_refused(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path, gallery="another")
    line = refused(first.path, second.path)
    assert "fingerprint gallery)" in line
    assert "fingerprint another)" in line
    assert "different queries" in line


def test_what_is_no_finished_run_of_this_version_is_refused(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    assert "holds no run" in refused(first.path, tmp_path)
    assert "holds no run" in refused(tmp_path / "nowhere", first.path)
    assert "was not scored under 'val leak-free none t2v'" in refused(
        first.path, second.path, ResultKey("val")
    )
    (second.path / "queries.parquet").write_bytes(b"PAR1 and no more")
    assert "queries.parquet is damaged" in refused(first.path, second.path)
    second.set_status("running")
    assert "running; the same `bench run` continues it" in refused(first.path, second.path)


def test_runs_without_a_common_rank_are_refused(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    file = second.path / "queries.parquet"
    pd.read_parquet(file).assign(own_score=float("nan")).to_parquet(file, index=False)
    assert "no query has a rank in both runs" in refused(first.path, second.path)


def test_a_changed_rank_is_counted_apart_from_a_changed_r_at_1(tmp_path: Path) -> None:
    """One query falls from rank 12 to 13 in B, which changes no R@1."""
    first, second = two_runs(tmp_path)
    file = second.path / "queries.parquet"
    rows = pd.read_parquet(first.path / "queries.parquet")
    lower = rows.index[rows["greater"] == 11][0]
    rows.loc[lower, "greater"] = 12
    rows.to_parquet(file, index=False)
    better, worse = changed_tables(
        read_run(first).answered(PROTOCOL), read_run(second).answered(PROTOCOL), 10
    )
    assert [table.notes[1].split(" queries")[0] for table in (better, worse)] == [
        "rank changed: 0",
        "rank changed: 1",
    ]
    assert better.rows == worse.rows == []


def test_a_protocol_that_no_result_has_is_answered_with_the_nearest_word(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    line = refused(first.path, second.path, ResultKey("tset"))
    assert "unknown split 'tset'; did you mean 'test'?" in line
    line = refused(first.path, second.path, ResultKey("test", "leakfree"))
    assert "unknown condition 'leakfree'; did you mean 'leak-free'?" in line
    assert len(line) < 200


def test_programs_get_the_figures_of_the_tables(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    comparison = TwoRuns.of(first.path, second.path, PROTOCOL, 3)
    record, (difference, gained, lost) = comparison.record(), comparison.tables()
    assert (record["protocol"]["split"], record["queries"]) == ("test", 100)
    for found, row in zip(record["measures"], difference.rows, strict=True):
        assert [found.measure, number(found.first, MEASURES[found.measure].digits)] == row[:2]
        assert (found.paired.cells() if found.paired else [""] * 3)[0][:4] == row[3][:4]
    for side, table in (("better_in_second", gained), ("better_in_first", lost)):
        assert [query.query for query in record[side]["shown"]] == [row[0] for row in table.rows]
        assert f"R@1 changed: {record[side]['count']} queries" in table.notes[0]
