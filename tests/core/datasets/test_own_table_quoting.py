"""Quotation marks and line breaks in tables: read as they are meant, or refused with the line."""

from pathlib import Path

import pytest

from core.datasets.folder import read_rows
from tests.core.datasets.own_table_reading import CASES, complaint, pairs, table

ROWS = ["a0", "a1", "a2", "a3", "a4", "a5"]


def test_stray_quotation_marks_in_a_table_with_tabs_merge_no_rows() -> None:
    found = read_rows(CASES / "stray_quotes.tsv")
    assert [row.video for row in found.rows] == ROWS
    assert [found.rows[1].caption, found.rows[2].caption] == ['"go on he says', 'a dog runs"']


@pytest.mark.parametrize("delimiter", [",", ";", "|"])
def test_stray_quotation_marks_elsewhere_are_refused_with_their_line(delimiter: str, tmp_path: Path) -> None:
    stray = (CASES / "stray_quotes.tsv").read_text().replace("\t", delimiter)
    line = complaint(lambda: table(tmp_path, "c.csv", stray))
    assert "line 3" in line and "closes in line 4" in line
    three = '{0}video{1}caption{1}split\na{1}"go on{1}train\nb{1}x{1}train\nc{1}y"{1}test\n'.format(
        "", delimiter
    )
    assert "line 2: a quotation mark that opens here closes in line 4" in complaint(
        lambda: table(tmp_path, "c.csv", three)
    )
    odd = f'video{delimiter}caption\na{delimiter}"go on\nb{delimiter}x\n'
    assert "line 2" in complaint(lambda: table(tmp_path, "c.csv", odd))


def test_a_table_with_tabs_whose_captions_hold_line_breaks_is_refused_where_a_mark_is_stray(
    tmp_path: Path,
) -> None:
    good = 'video\tcaption\na\t"first\nsecond"\nb\t"say ""no"""\n'
    assert pairs(table(tmp_path, "c.tsv", good)) == [("a", "first\nsecond"), ("b", 'say "no"')]
    assert "line 4" in complaint(lambda: table(tmp_path, "c.tsv", good[:-14] + 'b\t"x\nc\ty"\n'))


@pytest.mark.parametrize(
    ("row", "caption"),
    [
        ('a0,"one, two"', "one, two"),
        ('a0,"one\ntwo"', "one\ntwo"),
        ('a0,"one, two\nthree, four"', "one, two\nthree, four"),
        ('a0,"one\r\ntwo"', "one\r\ntwo"),
        ('a0,"he says ""no"""', 'he says "no"'),
        ('a0,he says "no"', 'he says "no"'),
        ("a0,it's 5 o'clock", "it's 5 o'clock"),
        ('"a0","x"', "x"),
    ],
)
def test_quoting_is_read_as_it_is_meant(row: str, caption: str, tmp_path: Path) -> None:
    assert pairs(table(tmp_path, "c.csv", f"video,caption\n{row}\n")) == [("a0", caption)]


def test_a_line_break_without_quotation_marks_is_named() -> None:
    line = complaint(lambda: read_rows(CASES / "unquoted_newline.csv"))
    assert "line 3: 1 field where the header has 2" in line
    assert "a line break that is not quoted" in line
