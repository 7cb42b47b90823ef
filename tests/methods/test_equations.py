"""A method's file lists its equations with the function of each: from the file to a formula in two hops."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"name\b.*=")
METHODS = sorted(
    file
    for file in (ROOT / "methods").glob("*.py")
    if any(
        isinstance(node, ast.ClassDef) and any(NAMED.match(ast.unparse(part)) for part in node.body)
        for node in ast.parse(file.read_text("utf-8")).body
    )
)
EQUATION = re.compile(r"^ {4}\S.*=", re.MULTILINE)
PLACE = re.compile(r"(methods/[\w/]+\.py)(?::((?: ?`?[\w.]+`?,?)+))?")


def docstring(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text("utf-8")), clean=False) or ""


def defined_in(file: Path) -> set[str]:
    """The functions, classes and methods of a file, the last ones with and without their class."""
    names = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        for part in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(part, ast.FunctionDef):
                names |= {part.name, f"{node.name}.{part.name}"}
    return names


@pytest.mark.parametrize("file", METHODS, ids=lambda file: file.stem)
def test_a_methods_docstring_has_its_equations(file: Path) -> None:
    assert len(EQUATION.findall(docstring(file))) >= 1


@pytest.mark.parametrize("file", METHODS, ids=lambda file: file.stem)
def test_every_place_that_an_equation_names_exists(file: Path) -> None:
    for place, named in PLACE.findall(docstring(file)):
        assert (ROOT / place).is_file(), place
        for name in re.findall(r"[\w.]+", named):
            assert name in defined_in(ROOT / place), f"{place} has no {name}"


def test_the_gate_of_gaid_is_two_hops_away() -> None:
    [(place, name)] = re.findall(r"sigmoid.*(methods/\S+\.py): (\w+)", docstring(ROOT / "methods/gaid.py"))
    functions = {
        node.name: ast.unparse(node)
        for node in ast.parse((ROOT / place).read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert "sigmoid" in functions[name]
