"""Tables to the console, and to files: Markdown, LaTeX and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from core.errors import BenchError
from core.paths import written_whole
from reports.latex import latex
from reports.table import Mark, Table

FOLDED = 24
"""Letters at which a column of words is folded where there is too little room."""
FRAME = 3
"""Letters that a column takes beside its own."""
NAMING = 2
"""Columns at the left that say what a row is about, where they are words."""

STYLES = {"best": "[bold]{}[/]", "second": "[underline]{}[/]", "": "{}"}
MARKDOWN = {"best": "**{}**", "second": "<u>{}</u>", "": "{}"}


def print_table(table: Table, console: Console) -> None:
    """Prints a table with its notes, in several parts where the console is too narrow for its columns."""
    for part, columns in enumerate(parts(table, console.width)):
        title = table.title if part == 0 else None
        view = RichTable(title=title, title_justify="left", title_style="bold", pad_edge=False)
        for column in columns:
            figures = column not in table.words
            justify: Literal["left", "right"] = "right" if figures else "left"
            view.add_column(table.columns[column], justify=justify, overflow="fold", no_wrap=figures)
        for row, cells in enumerate(table.rows):
            view.add_row(*(styled(cells[column], table, row, column) for column in columns))
        console.print(view)
    for note in table.notes:
        console.print(f"  {note}", style="dim", markup=False)
    console.print()


def parts(table: Table, width: int) -> list[list[int]]:
    """The columns of a table in parts that fit into `width` letters; those that name a row are in each part.

    Words may be folded at `FOLDED` letters, figures never.
    """
    needed = []
    for column, title in enumerate(table.columns):
        marks = [table.marks.get((row, column), Mark()).letters for row in range(len(table.rows))]
        cells = [f"{row[column]} {m}".rstrip() for row, m in zip(table.rows, marks, strict=True)]
        letters = max(map(len, [title, *cells]))
        needed.append(FRAME + (min(letters, FOLDED) if column in table.words else letters))
    names = [column for column in table.words if column < NAMING]
    room = width - sum(needed[column] for column in names)
    found: list[list[int]] = [[]]
    for column in range(len(table.columns)):
        if column in names:
            continue
        if found[-1] and sum(needed[other] for other in [*found[-1], column]) > room:
            found.append([])
        found[-1].append(column)
    return [[*names, *columns] for columns in found]


def styled(cell: str, table: Table, row: int, column: int) -> str:
    """A cell in rich's markup."""
    mark = table.marks.get((row, column), Mark())
    text = STYLES[mark.place].format(escape(cell))
    return f"{text} [dim]{mark.letters}[/]" if mark.letters else text


def markdown(tables: Sequence[Table]) -> str:
    """The tables in GitHub's Markdown."""
    parts = []
    for table in tables:
        alignment = ["---" if position in table.words else "---:" for position in range(len(table.columns))]
        rows = [
            [in_markdown(cell, table.marks.get((row, column), Mark())) for column, cell in enumerate(cells)]
            for row, cells in enumerate(table.rows)
        ]
        columns = [in_markdown(column, Mark()) for column in table.columns]
        body = "\n".join("| " + " | ".join(line) + " |" for line in [columns, alignment, *rows])
        parts.append(f"## {table.title}\n\n{body}\n\n" + "\n".join(f"{note}  " for note in table.notes))
    return "\n\n".join(parts) + "\n"


def in_markdown(cell: str, mark: Mark) -> str:
    """A cell that no character of it can split, with its emphasis and letters."""
    text = MARKDOWN[mark.place].format(cell.replace("|", "\\|"))
    return text + (f"<sup>{mark.letters}</sup>" if mark.letters else "")


def comma_separated(table: Table) -> str:
    """A table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([table.columns, *table.rows])
    return text.getvalue()


def contents_of(tables: Sequence[Table]) -> Mapping[str, str]:
    """File name -> content: report.md and report.tex of all tables, a CSV of each."""
    return {
        "report.md": markdown(tables),
        "report.tex": "\n".join(latex(table) for table in tables),
        **{f"{table.slug}.csv": comma_separated(table) for table in tables},
    }


def make_folder(folder: Path) -> None:
    """Makes the folder that tables go to; raises `BenchError` where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(
            f"cannot write to {folder} ({error.strerror}); choose another folder with --out"
        ) from error


def write_files(contents: Mapping[str, str], folder: Path) -> list[Path]:
    """Writes text files, each whole or not at all; returns the paths.

    Raises `BenchError` where the folder cannot be made.
    """
    make_folder(folder)
    for name, content in contents.items():
        with written_whole(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return [folder / name for name in contents]
