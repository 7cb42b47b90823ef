"""`bench report`: from run directories to printed and written tables, figures and the page."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from core.datasets import find_dataset, load_dataset
from core.errors import BenchError
from core.progress import Silent
from reports.collect import Run, answers_of, frame_of, labelled, read_runs
from reports.figures.write import write_figures
from reports.page.write import write_page
from reports.tables import Results, all_tables, main_tables
from reports.write import contents_of, print_table, write_files


def results_of(runs: Sequence[Run]) -> Results:
    """What tables need to know of some finished runs, at least one."""
    runs, notes = labelled(runs)
    names = dict.fromkeys(run.spec.dataset for run in runs)
    ceilings = {
        name: load_dataset(name, Silent(), workers=1).ceilings
        for name, entry in ((name, find_dataset(name)) for name in names)
        if entry.has_truth and entry.ready()
    }
    frame = frame_of(runs).sort_values(["dataset", "split"], kind="stable")
    return Results(runs, frame, answers_of(runs), ceilings, notes)


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


def print_results(runs: Sequence[Run], console: Console) -> None:
    """Prints what some finished runs are about; nothing where there is none."""
    for table in main_tables(results_of(runs)) if runs else ():
        print_table(table, console)


def write_report(
    root: Path, folder: Path, against: str | None, study: Path, console: Console, *, html: bool
) -> None:
    """Prints and writes the tables of every finished run under `root`, the figures, with `html` the page.

    `against` labels the configuration that the others are held against, the best one unless given; `study` is
    the JSON of `bench time`. Raises `BenchError` where nothing has been run or no configuration has that
    label.
    """
    runs = readable(root, console)
    results = results_of(runs)
    tables = all_tables(results, against)
    for table in tables:
        print_table(table, console)
    figures = results.frame.drop(columns=["metrics", "strata"]).to_csv(index=False)
    paths = write_files({**contents_of(tables), "results.csv": figures}, folder)
    pictures, notes = write_figures(results, study, folder)
    paths += pictures
    if html:
        page, missing = write_page(results, folder)
        paths.append(page)
        notes += missing
    for note in notes:
        console.print(f"left out: {note}", markup=False, style="yellow")
    for path in paths:
        console.print(f"written: {path}", markup=False, highlight=False)
