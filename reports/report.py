"""`bench report`: from run directories to written and printed tables, figures and the page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.datasets import find_dataset, load_dataset
from core.errors import BenchError
from core.evaluation.measures import MEASURES
from core.progress import Silent
from core.runs import RunDirectory, find_runs
from reports.collect import Run, read_run, read_runs, within_stratum
from reports.figures.write import FIGURE_CAPTIONS, Extra, write_figures
from reports.header import header_of
from reports.labels import label_settings, settings_line
from reports.results import Ceilings, Results, SeedRow
from reports.summary import summary_table
from reports.table import Table
from reports.tables import all_tables, evaluation_tables, explained
from reports.write import comma_separated, contents_of, make_folder, write_files

STUDY = Path("timing/timing.json")
"""Where `bench time` writes unless told otherwise."""


@dataclass(frozen=True)
class Report:
    """What a report has written, and what there is to show of it."""

    results: Results
    tables: Sequence[Table]
    paths: Sequence[Path]
    left_out: Sequence[str]
    """What is missing and why, a line each."""

    @property
    def main(self) -> Path:
        """The file to open first."""
        return next(path for path in self.paths if path.name == "report.md")


def ceilings_of(runs: Iterable[Run]) -> Ceilings:
    """What could be reached on the data sets of some runs, where their data are here and know it."""
    entries = {run.spec.dataset: find_dataset(run.spec.dataset) for run in runs}
    return {
        name: load_dataset(name, Silent(), workers=1).ceilings
        for name, entry in entries.items()
        if entry.has_truth and entry.ready()
    }


def readable(root: Path) -> tuple[list[Run], list[str]]:
    """The finished runs under `root`, and a line for each run that is left out.

    Raises `BenchError` where there is none, with the first of these lines.
    """
    runs, notes = read_runs(root)
    if not runs:
        if notes:
            raise BenchError(f"no run can be read; the first of {len(notes)} left out: {notes[0]}")
        raise BenchError(
            f"no finished run under {root}; run `bench run` first or name another folder with --runs"
        )
    return runs, notes


def write_report(
    root: Path,
    folder: Path,
    against: str | None,
    study: Path,
    *,
    html: bool,
    figures: Sequence[Extra] = (),
    stratum: str | None = None,
) -> Report:
    """Writes the tables of every finished run under `root`, the figures, with `html` the page.

    `against` labels the baseline, the best configuration unless given; `study` is the JSON of `bench time`;
    `figures` names those that are drawn only on request; with `stratum` only its queries count. Raises
    `BenchError` where nothing has been run, no configuration has that label or no query that stratum; nothing
    is written then.
    """
    runs, left_out = readable(root)
    if stratum is not None:
        runs, without = within_stratum(runs, stratum)
        left_out += without
    results = Results.of(runs, ceilings_of(runs))
    tables = all_tables(results, against)
    make_folder(folder)
    pictures, notes = write_figures(results, study, folder, figures)
    embedded = {path.name: FIGURE_CAPTIONS[path.stem] for path in pictures if path.suffix == ".png"}
    contents = contents_of(tables, header_of(results), embedded)
    paths = write_files({**contents, "results.csv": comma_separated(results_table(results))}, folder)
    paths += pictures
    if html:
        from reports.page.write import write_page

        page, missing = write_page(results, folder, [p for p in pictures if p.suffix == ".png"])
        paths.append(page)
        notes += missing
    return Report(results, tables, paths, [*left_out, *notes])


def report_record(report: Report) -> dict[str, Any]:
    """The report for programs: figures in full of every run and protocol, the tables as text, the files."""
    return {
        "results": [result_record(row) for row in report.results.rows],
        "tables": [
            {key: getattr(table, key) for key in ("title", "columns", "rows", "notes")}
            for table in report.tables
        ],
        "files": report.paths,
        "left_out": report.left_out,
    }


def result_record(row: SeedRow) -> dict[str, Any]:
    """A run under one protocol, as results.csv has it."""
    asked = row.answers.entry.protocol
    return {
        "run": row.run.name,
        "method": row.run.spec.method,
        "settings": settings_line(label_settings(row.run.spec)),
        "data": row.data,
        "seed": row.run.spec.seeds.initialisation,
        **row.protocol._asdict(),
        "queries": asked.queries,
        "gallery": asked.gallery,
        "undefined": row.answers.undefined(),
        **{name: row.figure(measure) for name, measure in MEASURES.items()},
    }


def evaluated_tables(runs: Sequence[Run]) -> list[Table]:
    """What `bench evaluate` shows of the runs that it has made."""
    results = Results.of(runs)
    tables = explained(evaluation_tables(results), results)
    return [table for table in (summary_table(results), *tables) if table is not None]


@dataclass(frozen=True)
class Conclusion:
    """What a command that has run cells shows at its end."""

    tables: Sequence[Table]
    report: Path
    """The file in which everything else is."""
    left_out: Sequence[str]


def conclude(directories: Sequence[RunDirectory], root: Path) -> Conclusion:
    """The summary of some finished runs, and the report of every run under `root`.

    The report is written where a run has finished since it was. A damaged run costs its own row.
    """
    runs, left_out = [], []
    for directory in directories:
        try:
            runs.append(read_run(directory))
        except BenchError as error:
            left_out.append(str(error))
    table = summary_table(Results.of(runs)) if runs else None
    report = root / "report" / "report.md"
    finished = [run.path / "status.json" for run in find_runs(root)]
    if runs and not (report.exists() and newest(finished) < report.stat().st_mtime_ns):
        left_out += write_report(root, report.parent, None, STUDY, html=False).left_out
    return Conclusion([table] if table else [], report, list(dict.fromkeys(left_out)))


def newest(files: Iterable[Path]) -> int:
    """When the newest of some files was written, in nanoseconds."""
    return max((file.stat().st_mtime_ns for file in files), default=0)


def results_table(results: Results) -> Table:
    """Every run under every protocol, figures in full."""
    records = [result_record(row) for row in results.rows]
    rows = [
        [cell if isinstance(cell, str) else exact(cell) for cell in record.values()] for record in records
    ]
    return Table("Results", list(records[0]), rows)


def exact(figure: float) -> str:
    """A figure in full, to the decimals that do not depend on the order of a sum."""
    return repr(round(figure, 9))
