"""`--set`: one value, several, and what is refused."""

import pytest

from core.assignments import parse_assignment, parse_values, sweeps
from core.errors import BenchError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2", (2,)),
        ("0.25,0.5", (0.25, 0.5)),
        ("last,val", ("last", "val")),
        ("true,false", (True, False)),
        ('["frame","audio"]', (["frame", "audio"],)),
        ('["frame"], ["frame","audio"]', (["frame"], ["frame", "audio"])),
        ('{"gammas": 100, "x": 1}', ({"gammas": 100, "x": 1},)),
        ('"a,b"', ("a,b",)),
        ('"a,b",c', ("a,b", "c")),
        ("", ("",)),
        ("null,3", (None, 3)),
    ],
)
def test_commas_separate_values_except_within_lists_and_quotes(text: str, values: tuple[object, ...]) -> None:
    assert parse_values(text) == values


def test_where_one_value_is_asked_for_commas_belong_to_it() -> None:
    assert parse_assignment("a=1,2") == ("a", "1,2")


def test_keys_keep_their_order() -> None:
    assert list(sweeps(["b=1,2", "a=x"]).items()) == [("b", (1, 2)), ("a", ("x",))]


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["a=1", "a=2"], "a is given twice; to sweep it, write --set a=VALUE,VALUE"),
        (["a=1,,2"], "has an empty value between its commas"),
        (["a=1,"], "has an empty value"),
        (["a"], "not of the form key=value"),
        (["=1"], "not of the form key=value"),
    ],
)
def test_a_mistake_is_one_line(assignments: list[str], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        sweeps(assignments)
