"""What programs read is whole, whatever is in it; what people read is cut and escaped."""

import json

import pytest

from core.cli.screen import Screen


@pytest.mark.parametrize(
    "value", ["x" * 1_000, "[bold]markup[/]", "\x9b31m\u202e", "two\nlines\tü", "…" * 500]
)
def test_json_comes_back_as_it_was(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    Screen().json(json.dumps({"value": value}, indent=1, ensure_ascii=False))
    assert json.loads(capsys.readouterr().out) == {"value": value}


def test_a_long_line_for_people_is_cut_in_the_middle(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().print("begin " + "x" * 1_000 + " end")
    printed = capsys.readouterr().out
    assert printed.startswith("begin ") and "end (1,010 characters)" in " ".join(printed.split())
