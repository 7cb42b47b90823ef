"""The page of methods has a row for each, which says what the code says."""

import pytest
import yaml

from benchmarks import method_table
from benchmarks.method_table import BEGIN, END, PAGE, SOURCE, fixed_cells
from core.registry import registered_methods

OURS = {name: cls for name, cls in registered_methods().items() if cls.__module__.startswith("methods.")}


def rows() -> dict[str, list[str]]:
    table = PAGE.read_text("utf-8").split(BEGIN)[1].split(END)[0]
    cells = [line.strip("| \n").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return {row[0].split("`")[1]: row for row in cells}


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_method_has_a_row_that_agrees_with_its_code(name: str) -> None:
    row = rows()[name]
    about, reads, parts, released = fixed_cells(name, OURS[name])
    assert len(row) == len(method_table.HEADER)
    assert (row[0], row[1], row[2], row[4]) == (about, reads, parts, released)
    assert float(row[3].split()[0]) > 0
    assert row[5].startswith("passes")


def test_no_row_is_left_of_a_method_that_is_gone() -> None:
    assert rows().keys() == yaml.safe_load(SOURCE.read_text("utf-8")).keys() == OURS.keys()
