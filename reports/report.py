"""From run directories to tables, figures and the page."""

from collections.abc import Sequence
from pathlib import Path

from core.datasets import find_dataset, load_dataset
from core.errors import BenchError
from core.progress import Silent
from reports.collect import Run, answers_of, frame_of, labelled, read_runs
from reports.figures.write import write_figures
from reports.page.write import write_page
from reports.table import Table
from reports.tables import Results, main_tables
from reports.write import contents_of, write_files


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


def readable(root: Path) -> tuple[list[Run], list[str]]:
    """The finished runs under `root`, and why each other run is left out.

    Raises `BenchError` where there is none.
    """
    runs, notes = read_runs(root)
    if not runs:
        raise BenchError(
            f"no finished run under {root}; run `bench run` first or name another folder with --runs"
        )
    return runs, notes


def brief(runs: Sequence[Run]) -> list[Table]:
    """The tables that say what some finished runs are about; none where there is no run."""
    return main_tables(results_of(runs)) if runs else []


def write_report(
    results: Results, tables: Sequence[Table], folder: Path, study: Path, *, html: bool
) -> tuple[list[Path], list[str]]:
    """Writes the tables, the figures and, with `html`, the page.

    `study` is the JSON of `bench time`. Returns what was written, and why something was left out.
    """
    figures = results.frame.drop(columns=["metrics", "strata"]).to_csv(index=False)
    paths = write_files({**contents_of(tables), "results.csv": figures}, folder)
    pictures, notes = write_figures(results, study, folder)
    paths += pictures
    if html:
        page, missing = write_page(results, folder)
        paths.append(page)
        notes += missing
    return paths, notes
