"""`bench report`: from run directories to printed and written tables and the gate picture."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from core.datasets import find_dataset, load_dataset
from core.errors import BenchError
from core.progress import Silent
from reports.collect import Run, frame_of, read_runs
from reports.gate_figure import write_gate_figure
from reports.tables import Ceilings, Table, all_tables
from reports.write import print_table, write_tables


def tables_of(
    runs: Sequence[Run], choose: Callable[[pd.DataFrame, Sequence[Run], Ceilings], list[Table]]
) -> list[Table]:
    """The tables that `choose` makes of some finished runs; none for no runs."""
    if not runs:
        return []
    names = dict.fromkeys(run.spec.dataset for run in runs)
    ceilings = {
        name: load_dataset(name, Silent(), workers=1).ceilings
        for name, entry in ((name, find_dataset(name)) for name in names)
        if entry.has_truth and entry.ready()
    }
    frame = frame_of(runs).sort_values(["dataset", "split"], kind="stable")
    return choose(frame, runs, ceilings)


def write_report(root: Path, folder: Path, console: Console) -> None:
    """Prints and writes the tables of every finished run under `root`, and the gate picture.

    Raises `BenchError` where nothing has been run.
    """
    runs, notes = read_runs(root)
    for note in notes:
        console.print(f"left out: {note}", markup=False, style="yellow")
    if not runs:
        raise BenchError(
            f"no finished run under {root}; run `bench run` first or name another folder with --runs"
        )
    tables = tables_of(runs, all_tables)
    for table in tables:
        print_table(table, console)
    paths = write_tables(tables, folder)
    picture = write_gate_figure(runs, folder)
    for path in [*paths, *([] if picture is None else [picture])]:
        console.print(f"written: {path}", markup=False, highlight=False)
