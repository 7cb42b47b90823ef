"""Tables of `reports` on the console."""

from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from reports.table import Mark, Table

FOLDED = 24
"""Letters at which a column of words is folded where there is too little width."""
COLUMN_FRAME = 3
"""Letters that a column takes beside its own."""
NAMING = 2
"""Columns at the left that say what a row is about, where they are words."""

PLACE_STYLES = {"best": "[bold]{}[/]", "second": "[underline]{}[/]", "": "{}"}


class WholeTable(RichTable):
    """A table of which a narrow terminal cuts nothing: cells are folded."""

    def add_column(self, *arguments: Any, **options: Any) -> None:
        """Adds a column, folded unless told otherwise."""
        super().add_column(*arguments, **{"overflow": "fold", **options})


def print_table(table: Table, console: Console) -> None:
    """Prints a table with its notes, in several parts where the console is too narrow for its columns."""
    for part, columns in enumerate(table_parts(table, console.width)):
        title = table.title or None if part == 0 else None
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


def table_parts(table: Table, width: int) -> list[list[int]]:
    """The columns of a table in parts that fit into `width` letters; those that name a row are in each part.

    Words may be folded at `FOLDED` letters, figures never.
    """
    needed = []
    for column, title in enumerate(table.columns):
        marks = [table.marks.get((row, column), Mark()).letters for row in range(len(table.rows))]
        cells = [f"{row[column]} {m}".rstrip() for row, m in zip(table.rows, marks, strict=True)]
        letters = max(map(len, [title, *cells]))
        needed.append(COLUMN_FRAME + (min(letters, FOLDED) if column in table.words else letters))
    names = [column for column in table.words if column < NAMING]
    left = width - sum(needed[column] for column in names)
    found: list[list[int]] = [[]]
    for column in range(len(table.columns)):
        if column in names:
            continue
        if found[-1] and sum(needed[other] for other in [*found[-1], column]) > left:
            found.append([])
        found[-1].append(column)
    return [[*names, *columns] for columns in found]


def styled(cell: str, table: Table, row: int, column: int) -> str:
    """A cell in rich's markup."""
    mark = table.marks.get((row, column), Mark())
    text = PLACE_STYLES[mark.place].format(escape(cell))
    return f"{text} [dim]{mark.letters}[/]" if mark.letters else text
