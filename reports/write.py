"""Tables to the console, to Markdown and to CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from core.errors import BenchError
from core.paths import written_whole
from reports.tables import Table


def print_table(table: Table, console: Console) -> None:
    """Prints a table with its notes."""
    view = RichTable(title=table.title, title_justify="left", title_style="bold", pad_edge=False)
    for position, column in enumerate(table.columns):
        view.add_column(
            column, justify="left" if position < 2 else "right", overflow="fold", no_wrap=position > 1
        )
    for row in table.rows:
        view.add_row(*map(escape, row))
    console.print(view)
    for note in table.notes:
        console.print(f"  {note}", style="dim", markup=False)
    console.print()


def markdown(tables: Sequence[Table]) -> str:
    """The tables in GitHub's Markdown."""
    parts = []
    for table in tables:
        alignment = ["---" if position < 2 else "---:" for position in range(len(table.columns))]
        lines = [table.columns, alignment, *table.rows]
        body = "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )
        parts.append(f"## {table.title}\n\n{body}\n\n" + "\n".join(f"{note}  " for note in table.notes))
    return "\n\n".join(parts) + "\n"


def comma_separated(table: Table) -> str:
    """A table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([table.columns, *table.rows])
    return text.getvalue()


def make_folder(folder: Path) -> None:
    """Makes the folder that tables go to; raises `BenchError` where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(
            f"cannot write to {folder} ({error.strerror}); choose another folder with --out"
        ) from error


def write_tables(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Writes report.md and one CSV per table; returns the paths.

    Raises `BenchError` where the folder cannot be made.
    """
    make_folder(folder)
    contents = {"report.md": markdown(tables)}
    contents |= {
        f"{table.title.lower().replace(',', '').replace(' ', '-').replace('@', '')}.csv": comma_separated(
            table
        )
        for table in tables
    }
    for name, content in contents.items():
        with written_whole(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return [folder / name for name in contents]
