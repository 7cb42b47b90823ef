"""Tables on the console: no cell is cut, marks show, nothing in a cell is taken for markup."""

import io
import re

import pytest
from rich.console import Console

from core.cli.render import COLUMN_FRAME, FOLDED, WholeTable, print_table, table_parts
from reports.table import Mark, Table

TABLE = Table(
    "Text-to-video, leak-free",
    ["data", "method", "R@1"],
    [["avworld/test", "GAID (fusion=a|b)", "40.5 ± 2.3"], ['with "quotes", and commas', "[bold]X[/]", "–"]],
    ["A note."],
)
RUNS = ((1, "none"), (2, "sample"))


def test_a_printed_table_shows_every_cell_as_it_is() -> None:
    text = io.StringIO()
    print_table(TABLE, Console(file=text, width=120))
    for word in (TABLE.title, "GAID (fusion=a|b)", "40.5 ± 2.3", "[bold]X[/]", "A note."):
        assert word in text.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 160, 300])
def test_no_cell_is_cut_on_a_narrow_terminal(width: int) -> None:
    metrics = [f"metric {i}" for i in range(9)]
    rows = [["avworld/test", f"GAID (fusion={f})", *(f"{n}{i}.5 ± 1.2" for i in range(9))] for n, f in RUNS]
    marks = {(0, column): Mark("best", "abcefgh") for column in range(2, 11)}
    text = io.StringIO()
    table = Table("Wide", ["data", "method", *metrics], rows, ["A note."], marks)
    print_table(table, Console(file=text, width=width))
    printed = text.getvalue()
    assert max(map(len, printed.splitlines())) <= width
    for word in ("avworld/test", "GAID", *metrics, *rows[0][2:], *rows[1][2:]):
        assert word in printed
    assert printed.count("abcefgh") == 9
    assert printed.count("Wide") == printed.count("A note.") == 1
    assert printed.count("┡") == (1 if width == 300 else printed.count("data"))


def test_the_best_is_bold_and_the_second_underlined() -> None:
    table = Table(
        "Marks",
        ["data", "method", "R@1"],
        [["d", "A", "40.5 ± 2.3"], ["d", "B", "39.0"]],
        marks={(0, 2): Mark("best", "bc"), (1, 2): Mark("second")},
    )
    text = io.StringIO()
    print_table(table, Console(file=text, width=120, force_terminal=True))
    assert "\x1b[1m40.5 ± 2.3" in text.getvalue()
    assert "\x1b[4m39.0" in text.getvalue()


def wide(*lengths: int, words: tuple[int, ...] = (0,), letters: str = "") -> Table:
    """A table of one row whose cells have so many letters; those of significance are in column 1."""
    marks = {(0, 1): Mark("", letters)}
    return Table("T", ["c"] * len(lengths), [["x" * n for n in lengths]], (), marks, words)


def test_a_table_that_just_fits_is_one_part_and_one_letter_less_makes_two() -> None:
    table, needed = wide(5, 7, 9), 5 + 7 + 9 + 3 * COLUMN_FRAME
    assert table_parts(table, needed) == [[0, 1, 2]]
    assert table_parts(table, needed - 1) == [[0, 1], [0, 2]]


def test_words_are_folded_and_figures_are_not() -> None:
    long = 2 * FOLDED
    folded = FOLDED + 5 + 6 + 3 * COLUMN_FRAME
    assert table_parts(wide(long, 5, 6), folded) == [[0, 1, 2]]
    assert table_parts(wide(long, 5, 6), folded - 1) == [[0, 1], [0, 2]]
    unfolded = 5 + long + 6 + 3 * COLUMN_FRAME
    assert table_parts(wide(5, long, 6), unfolded) == [[0, 1, 2]]
    assert table_parts(wide(5, long, 6), unfolded - 1) == [[0, 1], [0, 2]]


def test_letters_of_significance_take_their_place_and_a_blank() -> None:
    table = wide(5, 7, 9, letters="ab")
    needed = 5 + 7 + 1 + 2 + 9 + 3 * COLUMN_FRAME
    assert table_parts(table, needed) == [[0, 1, 2]]
    assert table_parts(table, needed - 1) == [[0, 1], [0, 2]]


def test_only_the_first_two_columns_name_a_row() -> None:
    assert table_parts(wide(5, 5, 5, 5, words=(0, 1, 3)), 20) == [[0, 1, 2], [0, 1, 3]]
    assert table_parts(wide(5, 5, 5, words=(0, 2)), 10) == [[0, 1], [0, 2]]


def test_a_table_of_words_is_folded_and_not_cut_where_it_is_too_wide() -> None:
    text = io.StringIO()
    table = WholeTable("key", "meaning")
    table.add_row("training.activation_checkpointing", "a sentence of some length")
    Console(file=text, width=30).print(table)
    cells = [re.split("[│┃]", line)[1].strip() for line in text.getvalue().splitlines() if line[0] in "│┃"]
    assert "".join(cells) == "key" + "training.activation_checkpointing"
    assert "…" not in text.getvalue()
