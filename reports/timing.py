"""`bench time`: from a study to printed and written tables, its JSON and its picture."""

from pathlib import Path

from rich.console import Console

from core.paths import written_whole
from core.running.timings import Study
from reports.timing_figure import write_timing_figure
from reports.timing_tables import timing_tables
from reports.write import contents_of, print_table, write_files


def show_timing(study: Study, folder: Path, console: Console, *, as_json: bool) -> None:
    """Writes report.md, a CSV per table, timing.json and timing.png, and prints tables or the JSON."""
    tables, record, picture = timing_tables(study), folder / "timing.json", folder / "timing.png"
    paths = write_files(contents_of(tables), folder)
    text = study.model_dump_json(indent=1)
    with written_whole(record) as temporary:
        temporary.write_text(text, encoding="utf-8")
    write_timing_figure(study, picture)
    if as_json:
        print(text)
        return
    for table in tables:
        print_table(table, console)
    for path in (*paths, record, picture):
        console.print(f"written: {path}", markup=False, highlight=False)
