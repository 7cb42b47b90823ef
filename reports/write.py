"""Tables to files: Markdown, LaTeX and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import BenchError
from core.paths import written_whole
from reports.header import Header
from reports.latex import latex, latex_header, latex_picture
from reports.table import Mark, Table

MARKDOWN = {"best": "**{}**", "second": "<u>{}</u>", "": "{}"}


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


def contents_of(
    tables: Sequence[Table], header: Header | None = None, pictures: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """File name -> content: report.md and report.tex of header, tables and pictures, a CSV of each table.

    `pictures` maps the name of a PNG beside the files to its caption.
    """
    drawn = pictures or {}
    md = [*([markdown_header(header)] if header else []), markdown(tables)]
    md += [f"![{caption}]({name})\n" for name, caption in drawn.items()]
    tex = [*([latex_header(header)] if header else []), *(latex(table) for table in tables)]
    tex += [latex_picture(name, caption) for name, caption in drawn.items()]
    return {
        "report.md": "\n".join(md),
        "report.tex": "\n".join(tex),
        **{f"{table.slug}.csv": comma_separated(table) for table in tables},
    }


def markdown_header(header: Header) -> str:
    """The head of a report in Markdown."""
    lines = [f"# {header.title}", "", header.made, ""]
    for dataset, points in header.protocols:
        lines += [f"**Protocol, {dataset}**", "", *(f"- {name}: {value}" for name, value in points), ""]
    return "\n".join([*lines, f"**Use.** {' '.join(header.use)}", ""])


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
