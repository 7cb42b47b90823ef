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
from reports.queries import Answers, read_outcomes
from reports.table import Table
from reports.tables import Ceilings, all_tables
from reports.write import contents_of, print_table, write_files


def tables_of(
    runs: Sequence[Run], choose: Callable[[pd.DataFrame, Sequence[Run], Answers, Ceilings], list[Table]]
) -> list[Table]:
    """The tables that `choose` makes of some finished runs; none for no runs."""
    if not runs:
        return []
    names = dict.fromkeys(run.spec.dataset for run in runs)
    ceilings = {
        name: load_dataset(name, Silent(), workers=1).ceilings for name in names if find_dataset(name).ready()
    }
    frame = frame_of(runs).sort_values(["dataset", "split"], kind="stable")
    return choose(frame, runs, answers_of(runs), ceilings)


def answers_of(runs: Sequence[Run]) -> Answers:
    """What the queries of some runs came to under every protocol without rescoring."""
    return {run.directory.path.name: read_outcomes(run.directory, rescoring="none") for run in runs}


def readable(root: Path, console: Console) -> list[Run]:
    """The finished runs under `root`, with a printed line for each run that is left out.

    Raises `BenchError` where there is none.
    """
    runs, notes = read_runs(root)
    for note in notes:
        console.print(f"left out: {note}", markup=False, style="yellow")
    if not runs:
        raise BenchError(
            f"no finished run under {root}; run `bench run` first or name another folder with --runs"
        )
    return runs


def write_report(root: Path, folder: Path, against: str | None, console: Console) -> None:
    """Prints and writes the tables of every finished run under `root`, and the gate picture.

    `against` labels the configuration that the others are held against, the best one unless given. Raises
    `BenchError` where nothing has been run or no configuration has that label.
    """
    runs = readable(root, console)
    tables = tables_of(runs, lambda *results: all_tables(*results, against=against))
    for table in tables:
        print_table(table, console)
    paths = write_files(contents_of(tables), folder)
    picture = write_gate_figure(runs, folder)
    for path in [*paths, *([] if picture is None else [picture])]:
        console.print(f"written: {path}", markup=False, highlight=False)
