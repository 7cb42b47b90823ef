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


def latex(table: Table) -> str:
    """The table as a float that needs `\\usepackage{booktabs}`; its notes stand in the caption's footnote."""
    alignment = "".join("l" if position in table.words else "r" for position in range(len(table.columns)))
    lines = [
        [emphasised_cell(cell, table.marks.get((row, column), Mark())) for column, cell in enumerate(cells)]
        for row, cells in enumerate(table.rows)
    ]
    body = "\n".join(" & ".join(line) + r" \\" for line in lines)
    header = " & ".join(map(escaped, table.columns)) + r" \\"
    notes = "".join(f"\n\\par\\footnotesize {escaped(note)}" for note in table.notes)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(table.title)}}}",
            rf"\label{{tab:{table.slug}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            header,
            r"\midrule",
            body,
            r"\bottomrule",
            r"\end{tabular}" + notes,
            r"\end{table}",
            "",
        ]
    )


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
