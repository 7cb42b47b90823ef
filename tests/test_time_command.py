"""`bench time` on the command line: what it writes and prints, and one line for every mistake."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.command_line import assert_one_line

TINY = (
    "time",
    "--methods",
    "clip4clip,tmass",
    "--perturbation",
    "none,dasp",
    "--videos",
    "3,6",
    "--texts",
    "4",
)
QUICK = ("--repeats", "1", "--seconds", "0", "--released-videos", "3", "--device", "cpu")


@pytest.mark.slow
def test_it_prints_the_tables_and_writes_them_with_json_and_picture(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    result = invoke(*TINY, *QUICK, "--out", tmp_path / "timing")
    assert result.exit_code == 0
    assert "clip4clip has no perturbation; it is timed as it is" in result.stdout
    assert "Time of scoring per 1,000 queries" in result.stdout
    assert "What a perturbation costs tmass" in result.stdout
    assert {path.suffix for path in (tmp_path / "timing").iterdir()} == {
        ".md",
        ".tex",
        ".csv",
        ".json",
        ".png",
    }


@pytest.mark.slow
def test_with_json_nothing_else_is_on_standard_output(invoke: Callable[..., Result], tmp_path: Path) -> None:
    one = ("time", "--methods", "clip4clip", "--videos", "3,6", "--texts", "4")
    result = invoke(*one, *QUICK, "--out", tmp_path, "--json")
    rows = json.loads(result.stdout)["rows"]
    assert {(row["method"], row["perturbation"], row["videos"]) for row in rows} == {
        ("clip4clip", "none", 3),
        ("clip4clip", "none", 6),
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--methods", "xpol"), ["unknown method 'xpol'", "'xpool'"]),
        (("--methods", ""), ["--methods"]),
        (("--perturbation", "dsp"), ["unknown perturbation 'dsp'", "'dasp'"]),
        (("--videos", "0"), ["--videos"]),
        (("--videos", "many"), ["--videos", "'many'"]),
        (("--device", "tpu"), ["unknown device 'tpu'"]),
    ],
)
def test_a_mistake_is_one_line(
    invoke: Callable[..., Result], arguments: tuple[str, ...], words: list[str]
) -> None:
    assert_one_line(invoke("time", *arguments), *words)


def test_a_folder_that_cannot_be_made_is_named(invoke: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    arguments = ("--methods", "clip4clip", "--videos", "2", "--texts", "2", *QUICK)
    assert_one_line(invoke("time", *arguments, "--out", tmp_path / "file" / "timing"), "--out")
