"""A table in LaTeX with booktabs: best bold, second underlined, letters of significance as superscripts."""

from reports.header import Header
from reports.table import Mark, Table

SPECIAL = {
    "\\": r"\textbackslash{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    "·": r"$\cdot$",
    "→": r"$\to$",
    "≤": r"$\le$",
    "“": "``",
    "”": "''",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
"""What LaTeX would read as a command, or cannot set in text."""


ROWS_PER_PAGE = 30
"""Rows of a float: with its notes it fits a page of any class; what is longer goes on in another float."""
AS_WIDE_AS_THE_TEXT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Makes what is wider than the text smaller and leaves all else."""


def latex(table: Table) -> str:
    """The table as floats for `\\usepackage{booktabs,graphicx}`; its notes stand below the last of them.

    A float is never wider than the text, nor longer than `ROWS_PER_PAGE` rows.
    """
    alignment = "".join("l" if position in table.words else "r" for position in range(len(table.columns)))
    lines = [
        [emphasised_cell(cell, table.marks.get((row, column), Mark())) for column, cell in enumerate(cells)]
        for row, cells in enumerate(table.rows)
    ]
    body = [" & ".join(line) + r" \\" for line in lines]
    title = escaped(table.title)
    notes = [rf"\par\footnotesize {escaped(note)}" for note in table.notes]
    floats = []
    for first in range(0, max(len(body), 1), ROWS_PER_PAGE):
        rest = body[first:]
        floats += [
            r"\begin{table}",
            r"\centering",
            *(
                [rf"{title}, continued\par\smallskip"]
                if first
                else [rf"\caption{{{title}}}", rf"\label{{tab:{table.slug}}}"]
            ),
            AS_WIDE_AS_THE_TEXT,
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            " & ".join(map(escaped, table.columns)) + r" \\",
            r"\midrule",
            *rest[:ROWS_PER_PAGE],
            r"\bottomrule",
            r"\end{tabular}}",
            *(notes if len(rest) <= ROWS_PER_PAGE else []),
            r"\end{table}",
        ]
    return "\n".join([*floats, ""])


def latex_header(header: Header) -> str:
    """The head of a report: a section, its protocol as lists, and what the tables may be used for."""
    lines = [rf"\section*{{{escaped(header.title)}}}", escaped(header.made), ""]
    for dataset, points in header.protocols:
        lines += [rf"\paragraph{{Protocol, {escaped(dataset)}}}", r"\begin{itemize}"]
        lines += [rf"\item {escaped(f'{name}: {value}')}" for name, value in points]
        lines += [r"\end{itemize}"]
    return "\n".join([*lines, rf"\paragraph{{Use}} {escaped(' '.join(header.use))}", ""])


def latex_picture(name: str, caption: str) -> str:
    """A picture as a float that needs `\\usepackage{graphicx}`."""
    return "\n".join(
        [
            r"\begin{figure}",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{name}}}",
            rf"\caption{{{escaped(caption)}}}",
            r"\end{figure}",
            "",
        ]
    )


def emphasised_cell(cell: str, mark: Mark) -> str:
    """A cell with its emphasis and letters."""
    text = escaped(cell)
    text = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}"}.get(mark.place, text)
    return text + (f"$^{{\\mathrm{{{mark.letters}}}}}$" if mark.letters else "")


def escaped(text: str) -> str:
    """Text in which every character stands for itself."""
    return "".join(SPECIAL.get(character, character) for character in text)
