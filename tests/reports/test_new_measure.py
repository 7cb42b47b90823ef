"""A measure is one entry of the registry: runs that were finished before it have it too."""

from functools import partial
from pathlib import Path

import pytest

from core.evaluation.measures import MEASURES, averaged, recall
from reports.accuracy import metrics_table
from reports.collect import read_runs
from reports.results import Results
from tests.made_runs import make_run, result


def test_a_new_measure_is_a_column_of_old_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, {}, [result(20.0)])
    monkeypatch.setitem(MEASURES, "R@100", averaged("R@100", partial(recall, k=100)))
    runs, _ = read_runs(tmp_path)
    table = metrics_table(Results.of(runs), "t2v")
    assert table is not None
    assert table.rows[0][table.columns.index("R@100")].startswith("100")
