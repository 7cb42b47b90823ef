"""The commands, their options and their help: what scripts and habits rely on."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from typer.testing import Result

import harness
from core.axes import declared, fields_in
from core.cli.axis_options import axes
from core.running.axes import all_axes
from core.spec import NESTED, RunSpec
from methods.parts.config import ComposedConfig


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    group = group or typer.main.get_command(harness.app)
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


@pytest.mark.parametrize(
    "path", [path for path, _ in commands()], ids=lambda path: " ".join(("bench", *path))
)
def test_every_help_has_an_example(path: tuple[str, ...], invoke: Callable[..., Result]) -> None:
    result = invoke(*path, "--help")
    assert result.exit_code == 0
    assert "Example: bench " in result.stdout


def test_the_surface_of_the_command_line_is_frozen() -> None:
    """Scripts depend on these names: a change here is a decision. The axes come from the fields."""
    found = {
        " ".join(path): sorted(
            name
            for parameter in command.get_params(command.context_class(command))
            for name in parameter.opts
            if parameter.name != "help"
        )
        for path, command in commands()
        if not getattr(command, "commands", None)
    }
    for names in found.values():
        names.remove("--traceback")  # every command takes it
    options = {f"--{name.replace('_', '-')}" for name in all_axes()}
    assert found.pop("run") == sorted(
        options
        | {
            "--checkpoint",
            "--cluster",
            "--devices",
            "--dry-run",
            "--json",
            "--keep-old",
            "--missing",
            "--offline",
            "--runs",
            "--set",
            "--track",
            "--workers",
            "experiment",
        }
    )
    assert found == {
        "report": ["--against", "--figures", "--html", "--json", "--out", "--runs", "--stratum", "--timing"],
        "compare": [
            "--condition",
            "--direction",
            "--json",
            "--rescoring",
            "--show",
            "--split",
            "--stratum",
            "first",
            "second",
        ],
        "export trec": ["--condition", "--out", "--rescoring", "--split", "run"],
        "evaluate": [
            "--dataset",
            "--distractors",
            "--json",
            "--missing",
            "--offline",
            "--runs",
            "--set",
            "--split",
            "--workers",
            "run",
        ],
        "index": ["--cluster", "--json", "--offline", "--out", "--videos", "--workers", "run"],
        "search": [
            "--candidates",
            "--html",
            "--json",
            "--like",
            "--offline",
            "--open",
            "--queries",
            "--run",
            "-k",
            "index",
            "words",
        ],
        "export mteb": ["--json", "--offline", "--out", "--split", "--tasks", "--workers", "run"],
        "export hub": [
            "--dataset-id",
            "--dry-run",
            "--licence",
            "--out",
            "--public",
            "--push",
            "--repo",
            "run",
        ],
        "parity": ["--clips", "--json", "folder"],
        "audit": ["--all", "--condition", "--json", "--seeds", "--set", "--size", "subjects"],
        "time": [
            "--device",
            "--json",
            "--methods",
            "--out",
            "--perturbation",
            "--released-videos",
            "--repeats",
            "--seconds",
            "--texts",
            "--threads",
            "--trials",
            "--videos",
        ],
        "methods": ["--json", "--keys", "method"],
        "data list": ["--json"],
        "doctor": ["--json", "--offline"],
        "data add": ["--audio", "--captions", "--global", "--root", "--speech", "--videos", "name"],
        "data prepare": ["--cluster", "--methods", "--missing", "--offline", "--workers", "name"],
        "data remove": ["--global", "name"],
        "data look": [
            "--frames",
            "--json",
            "--png",
            "--recipe",
            "--sampling",
            "--sound",
            "file",
        ],
        "data check": [
            "--audio",
            "--captions",
            "--json",
            "--quick",
            "--root",
            "--set",
            "--speech",
            "--videos",
            "--workers",
            "name",
        ],
    }


def test_the_help_of_run_lists_the_values_of_every_axis(invoke: Callable[..., Result]) -> None:
    printed = invoke("run", "--help").stdout
    words = set(re.findall(r"[\w-]+", printed))
    for name, fields in all_axes().items():
        assert f"--{name.replace('_', '-')}" in words
        assert {str(choice) for field in fields for choice in field.choices} <= words


def test_an_axis_is_described_for_all_methods_and_not_in_the_words_of_one() -> None:
    for name in ("enrichment", "fusion", "pooling", "interaction", "perturbation"):
        shared = fields_in("config", ComposedConfig)
        about = next(field.about for field in shared if field.axis and field.axis_name == name)
        assert about.startswith(axes()[name].about)


def test_every_key_of_a_run_has_a_meaning() -> None:
    empty = {field.key for field in declared({"": RunSpec, **NESTED}).values() if not field.about}
    assert empty <= {"training", "evaluation"}
