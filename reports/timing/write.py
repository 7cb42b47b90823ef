"""From a study of `bench time` to its tables, its JSON and its picture."""

from pathlib import Path

from core.paths import written_whole
from core.timing.records import Study
from reports.table import Table
from reports.timing.figure import write_timing_figure
from reports.timing.tables import timing_tables
from reports.write import contents_of, write_files


def write_timing(study: Study, folder: Path) -> tuple[list[Table], list[Path]]:
    """Writes report.md, a CSV per table, timing.json and timing.png; returns the tables and the paths."""
    tables, record, picture = timing_tables(study), folder / "timing.json", folder / "timing.png"
    paths = write_files(contents_of(tables), folder)
    with written_whole(record) as temporary:
        temporary.write_text(study.model_dump_json(indent=1), encoding="utf-8")
    write_timing_figure(study, picture)
    return tables, [*paths, record, picture]
