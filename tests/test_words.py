"""What a user reads is English that a native speaker would write: some words are refused in it."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REFUSED = {
    r"\bmend": "fix",
    r"\bwhole cop(y|ies)\b": "download the file again",
    r"\bnot whole\b": "truncated or invalid",
    r"\bheld against\b": "compared with",
    r"\bhold .* against\b": "compare with",
    r"\b(lacks?|lies?|lie)\b": "is missing, is stored in",
    r"\bsay once\b": "store",
    r"\bis said to\b": "is",
    r"\bno row\b": "no rows",
    r"\bspeaks? of\b": "reports",
}
"""Pattern -> what to write instead."""


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """The texts of a file that a user sees: of errors, of what is said, and of help."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        shown: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in {"BenchError", "BadParameter", "say", "print_error", "unknown_name"}:
                shown += node.args
            if name in {"Option", "Argument", "Typer"}:
                shown += [keyword.value for keyword in node.keywords if keyword.arg == "help"]
        for expression in shown:
            for part in ast.walk(expression):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.lineno, part.value


def commands(file: Path) -> Iterator[tuple[int, str]]:
    """The help of commands: the docstrings of functions that are `one_line_errors`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and "one_line_errors" in map(ast.unparse, node.decorator_list):
            yield node.lineno, ast.get_docstring(node) or ""


def keys(file: Path) -> Iterator[tuple[int, str]]:
    """What `bench methods --keys` says of keys: the docstrings of the fields of models."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Config", "Spec", "Options", "Seeds")):
            for before, after in pairwise(node.body):
                if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr):
                    yield after.lineno, ast.literal_eval(after.value)


@pytest.mark.parametrize("room", ["core", "methods", "reports"])
def test_no_text_for_users_has_a_word_that_reads_as_translated(room: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: '{text}': write '{instead}'"
        for file in sorted((ROOT / room).rglob("*.py"))
        for line, text in (*texts(file), *commands(file), *keys(file))
        for pattern, instead in REFUSED.items()
        if re.search(pattern, text, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_no_page_has_one_either(file: Path) -> None:
    found = [
        f"{file.name}:{number}: '{line}': write '{instead}'"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for pattern, instead in REFUSED.items()
        if re.search(pattern, line, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)
