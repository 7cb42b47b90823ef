"""The queries of a stratum alone: the same figures as of rows that were filtered by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import Result

from core.errors import BenchError
from reports.accuracy import metrics_table
from reports.collect import read_runs, within_stratum
from reports.compare import TwoRuns
from reports.differences import differences_table
from reports.queries import ResultKey
from reports.results import Results
from reports.tables import strata_table
from tests.made_runs import make_run, result
from tests.reports.made_results import row_of

DATA = "avworld-tiny/test (needed)"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two configurations with two strata each."""
    make_run(tmp_path, {"frames": 6}, [result(50.0, strata={"needed": 30.0, "silent": 70.0})])
    make_run(tmp_path, {"frames": 8}, [result(55.0, strata={"needed": 50.0, "silent": 60.0})], order=1)
    return tmp_path


def hits(root: Path, frames: int) -> np.ndarray:
    """Which queries of the stratum a configuration answers first, read without the project's readers."""
    for folder in root.iterdir():
        if f'"frames": {frames}' in (folder / "spec.json").read_text():
            rows = pd.read_parquet(folder / "queries.parquet")
            return (rows[rows["stratum"] == "needed"]["rank_expected"] == 1).to_numpy(float)
    raise AssertionError(f"no run of {frames} frames")


def test_tables_count_the_queries_of_the_stratum_and_no_others(root: Path) -> None:
    runs, notes = within_stratum(read_runs(root)[0], "needed")
    assert notes == []
    results = Results.of(runs)
    table = metrics_table(results, "t2v")
    assert table is not None
    few, many = (row_of(table, f"GAID (frames={n})", DATA) for n in (6, 8))
    assert [row["n"] for row in (few, many)] == ["50", "50"]
    assert [row["R@1"] for row in (few, many)] == ["30.0", "50.0"]
    differences = differences_table(results, "GAID (frames=6)")
    assert differences is not None
    row = row_of(differences, "GAID (frames=8)", DATA)
    gained = hits(root, 8) - hits(root, 6)
    assert row["delta"] == "+20.0"
    assert float(row["detectable"]) == pytest.approx(280.16 * stats.sem(gained), abs=0.05)
    exact = stats.binomtest(int((gained > 0).sum()), int((gained != 0).sum())).pvalue
    assert float(row["p"]) == pytest.approx(exact, abs=0.02)


def test_a_ceiling_is_that_of_the_stratum_too(root: Path) -> None:
    known = {"avworld-tiny": {"test": {"pixels only": {"all": 60.0, "needed": 25.0, "silent": 95.0}}}}
    runs, _ = within_stratum(read_runs(root)[0], "needed")
    table = strata_table(Results.of(runs, known))
    assert table is not None
    assert list(table.columns) == ["data", "method", "n", "all", "needed"]
    assert [list(row[2:]) for row in table.rows] == [
        ["50", "30.0", "30.0"],
        ["50", "50.0", "50.0"],
        ["–", "25.0", "25.0"],
    ]


def test_two_runs_are_compared_on_the_stratum(root: Path) -> None:
    first, second = sorted(
        (f for f in root.iterdir()), key=lambda f: '"frames": 8' in (f / "spec.json").read_text()
    )
    compared = TwoRuns.of(first, second, ResultKey("test"), 10, "needed")
    table = compared.tables()[0]
    assert table.title.endswith(", needed")
    assert list(table.rows[0][:4]) == ["R@1", "30.0", "50.0", "+20.0"]
    assert (compared.record()["stratum"], compared.record()["queries"]) == ("needed", 50)


def test_a_stratum_that_no_run_has_is_answered_with_those_that_there_are(root: Path) -> None:
    with pytest.raises(BenchError, match="unknown stratum 'neded'; did you mean 'needed'"):
        within_stratum(read_runs(root)[0], "neded")


def test_runs_without_the_stratum_are_left_out_by_name(root: Path) -> None:
    other, _ = make_run(root, {"frames": 10}, [result(40.0)])
    kept, notes = within_stratum(read_runs(root)[0], "needed")
    assert len(kept) == 2
    assert [note.split(":")[0] for note in notes] == [other.path.name]


def test_the_command_reports_a_stratum(root: Path, invoke: Callable[..., Result]) -> None:
    found = invoke("report", "--runs", root, "--stratum", "needed")
    assert found.exit_code == 0 and not (root / "report").exists()
    assert DATA in (root / "report-needed" / "report.md").read_text(encoding="utf-8")
    refused = invoke("report", "--runs", root, "--stratum", "nothing", "--out", root / "other")
    assert refused.exit_code != 0 and not (root / "other").exists()
