"""Results of runs that were made up, and the rows of their tables."""

from pathlib import Path

from reports.collect import read_runs
from reports.results import Ceilings, Results
from reports.table import Table


def row_of(table: Table, method: str, data: str = "avworld-tiny/test") -> dict[str, str]:
    """The one row of a method, by column."""
    (row,) = [row for row in table.rows if tuple(row[:2]) == (data, method)]
    return dict(zip(table.columns, row, strict=True))


def results_under(root: Path, ceilings: Ceilings | None = None) -> Results:
    """What the runs in a folder found, none of them damaged."""
    runs, notes = read_runs(root)
    assert notes == []
    return Results.of(runs, ceilings)
