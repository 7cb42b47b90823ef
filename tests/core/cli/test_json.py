"""With `--json` the answer has standard output to itself, and means what the command says without it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

import harness
from core.cli.answers import answer, plain_values
from core.cli.shell import AsJson, console, one_line_errors
from core.errors import BenchError
from core.evaluation.measures import MEASURES
from tests.command_line import assert_one_line
from tests.core.cli.test_surface import commands
from tests.made_runs import make_run, result


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for frames, points in ((6, 30.0), (8, 38.0)):
        make_run(tmp_path / "runs", {"frames": frames}, [result(points), result(points, direction="v2t")])
    return tmp_path / "runs"


def test_a_report_gives_every_figure_in_full_and_names_its_files(
    invoke: Callable[..., Result], runs: Path
) -> None:
    shown = json.loads(invoke("report", "--runs", runs, "--json").stdout)
    assert {(row["direction"], row["R@1"]) for row in shown["results"]} == {
        (direction, points) for direction in ("t2v", "v2t") for points in (30.0, 38.0)
    }
    assert all(set(MEASURES) <= set(row) for row in shown["results"])
    assert all(Path(file).is_file() for file in shown["files"])
    assert {table["title"] for table in shown["tables"]} > {"Differences in R@1, leak-free"}


def test_a_comparison_gives_both_runs_and_their_difference(invoke: Callable[..., Result], runs: Path) -> None:
    first, second = sorted(runs.glob("gaid-*"))
    shown = json.loads(invoke("compare", first, second, "--show", "2", "--json").stdout)
    recall = shown["measures"][0]
    assert (recall["measure"], recall["second"] - recall["first"]) == ("R@1", recall["paired"]["estimate"])
    assert {recall["first"], recall["second"]} == {30.0, 38.0}
    assert [shown[key]["name"] for key in ("first", "second")] == [first.name, second.name]
    assert next(found for found in shown["measures"] if found["measure"] == "MdR")["paired"] is None


def test_a_mistake_is_a_line_on_standard_error_and_leaves_the_answer_empty(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    for arguments in (
        ("report", "--runs", tmp_path),
        ("compare", tmp_path, tmp_path),
        ("parity", tmp_path / "nowhere"),
        ("methods", "gaidd", "--keys"),
        ("run", "--methods", "gaidd"),
    ):
        shown = invoke(*arguments, "--json")
        assert_one_line(shown)
        assert shown.stdout == ""


def answering() -> set[str]:
    """The commands that take `--json`."""
    return {
        " ".join(path)
        for path, command in commands()
        if any("--json" in option.opts for option in command.get_params(command.context_class(command)))
    }


def test_every_command_with_an_answer_takes_the_option() -> None:
    having = answering()
    assert having >= {"run", "report", "compare", "methods", "data list", "data check", "data look", "parity"}
    assert having >= {"audit", "doctor", "time"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        ({1: [float("inf"), 2.5]}, {"1": [None, 2.5]}),
        (Path("a/b"), "a/b"),
        (("x", {"y"}), ["x", ["y"]]),
        (BenchError, BenchError),
    ],
)
def test_what_json_does_not_have_is_put_in_its_terms(value: Any, expected: Any) -> None:
    assert plain_values(value) == expected


def command(code: int = 0) -> Callable[..., None]:
    app = typer.Typer()

    @app.command()
    @one_line_errors
    def noisy(json: AsJson = False) -> None:
        print("from a library")
        console.print("for people")
        answer({"ended": code})
        raise typer.Exit(code)

    return app


@pytest.mark.parametrize("code", [0, 1, 2])
def test_whatever_else_is_printed_goes_to_standard_error_and_the_code_stays(code: int) -> None:
    shown = CliRunner().invoke(command(code), ["--json"])
    assert (json.loads(shown.stdout), shown.exit_code) == ({"ended": code}, code)
    assert "from a library" in shown.stderr and "for people" in shown.stderr


NOISY_PROCESS = """
import os, subprocess, sys, typer
from core.cli.shell import answer, one_line_errors

@one_line_errors
def command(json=False):
    subprocess.run(["echo", "from a child"])
    os.write(1, b"from a library in C\\n")
    answer({"nan": float("nan"), "evil": chr(0x9b)})
    print("afterwards")

try:
    command(json=True)
    print("restored")
except typer.Exit as end:  # the reader has gone
    assert end.exit_code == 0
"""


def test_children_and_libraries_in_c_do_not_reach_it_either() -> None:
    done = subprocess.run([sys.executable, "-c", NOISY_PROCESS], capture_output=True, text=True, check=True)
    text = done.stdout.removesuffix("restored\n")
    assert json.loads(text) == {"nan": None, "evil": "\x9b"}
    assert "\x9b" not in text
    assert all(line in done.stderr for line in ("from a child", "from a library in C", "afterwards"))


def test_a_reader_that_has_gone_is_no_error() -> None:
    code = NOISY_PROCESS.replace('"evil"', '"long": "x" * 2**20, "evil"')
    script = '"$0" -c "$1" | head -c 1'
    done = subprocess.run(["bash", "-c", script, sys.executable, code], capture_output=True, text=True)
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr


def test_the_page_of_the_answers_names_every_command_that_has_one() -> None:
    text = (Path(harness.__file__).parent / "docs" / "json.md").read_text(encoding="utf-8")
    assert [name for name in answering() if f"`bench {name}`" not in text] == []
