"""Tables on paper: Markdown that renders, CSV that reads back, files that are whole."""

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from core.errors import BenchError
from reports.latex import latex
from reports.table import Mark, Table
from reports.write import comma_separated, contents_of, markdown, write_files

TABLE = Table(
    "Text-to-video, leak-free",
    ["data", "method", "R@1"],
    [["avworld/test", "GAID (fusion=a|b)", "40.5 ± 2.3"], ['with "quotes", and commas', "[bold]X[/]", "–"]],
    ["A note."],
)


def cells(line: str) -> list[str]:
    """The cells of a Markdown row, as a renderer splits it."""
    parts = line.replace("\\|", "\0").strip().strip("|").split("|")
    return [part.strip().replace("\0", "|") for part in parts]


def test_markdown_escapes_what_would_split_a_cell() -> None:
    lines = markdown([TABLE]).splitlines()
    assert lines[0] == "## Text-to-video, leak-free"
    assert cells(lines[2]) == list(TABLE.columns)
    assert cells(lines[3]) == ["---", "---", "---:"]
    assert [cells(line) for line in lines[4:6]] == [list(row) for row in TABLE.rows]
    assert "A note." in lines[7]


def test_csv_reads_back_cell_by_cell() -> None:
    rows = list(csv.reader(io.StringIO(comma_separated(TABLE))))
    assert rows == [list(TABLE.columns), *(list(row) for row in TABLE.rows)]


def test_every_table_has_a_file_of_its_own(tmp_path: Path) -> None:
    other = Table("R@1 after rescoring, leak-free", ["data", "method"], [["x", "y"]])
    paths = write_files(contents_of([TABLE, other]), tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [
        "report.md",
        "report.tex",
        "text-to-video-leak-free.csv",
        "r1-after-rescoring-leak-free.csv",
    ]
    assert sorted(paths) == sorted((tmp_path / "new" / "folder").iterdir())
    assert paths[0].read_text(encoding="utf-8") == markdown([TABLE, other])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="--out"):
        write_files({"a": "b"}, tmp_path / "file" / "folder")


MARKED = Table(
    "Marks",
    ["data", "method", "R@1"],
    [["d", "A_1 & B", "40.5 ± 2.3"], ["d", "C {50 %}", "39.0"], ["d", "D", "–"]],
    ["50 % of ~all^2, C:\\d"],
    {(0, 2): Mark("best", "bc"), (1, 2): Mark("second")},
)


def test_marks_show_in_every_format_but_csv() -> None:
    assert "| **40.5 ± 2.3**<sup>bc</sup> |" in markdown([MARKED])
    assert "| <u>39.0</u> |" in markdown([MARKED])
    assert list(csv.reader(io.StringIO(comma_separated(MARKED))))[1:] == [list(row) for row in MARKED.rows]


def test_latex_is_a_booktabs_table_in_which_no_character_is_a_command() -> None:
    lines = latex(MARKED).splitlines()
    assert [line for line in lines if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert r"\begin{tabular}{llr}" in lines
    assert r"d & A\_1 \& B & \textbf{40.5 $\pm$ 2.3}$^{\mathrm{bc}}$ \\" in lines
    assert r"d & C \{50 \%\} & \underline{39.0} \\" in lines
    assert r"d & D & -- \\" in lines
    assert r"\par\footnotesize 50 \% of \textasciitilde{}all\textasciicircum{}2, C:\textbackslash{}d" in lines
    assert sum(line.count("{") - line.count("}") for line in lines) == 0


WIDE = Table(
    "Wide & long",
    ["method", *(f"a measure, {column}" for column in range(20))],
    [[f"row {row}", *("40.5 ± 2.3" for _ in range(20))] for row in range(73)],
    [
        f"Note {number}: ± of 95 % intervals, as everywhere in this report, and more of the kind."
        for number in range(6)
    ],
)


def test_a_long_table_is_several_floats_with_one_label_and_its_notes_below_the_last() -> None:
    floats = latex(WIDE).split(r"\begin{table}")[1:]
    rows = [[line for line in text.splitlines() if line.startswith("row ")] for text in floats]
    assert [len(part) for part in rows] == [30, 30, 13]
    assert [line.split(" &")[0] for part in rows for line in part] == [row[0] for row in WIDE.rows]
    assert [text.count(r"\caption") for text in floats] == [1, 0, 0]
    assert [text.count("Note ") for text in floats] == [0, 0, 6]


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_fits_the_page(tmp_path: Path) -> None:
    text = latex(WIDE) + latex(MARKED)
    (tmp_path / "report.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}" + text + "\\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout
    assert not re.findall("Overfull.*|.*too large.*", made.stdout)
