"""The house: which room may import which, no circle of modules, typer and rich in the command line alone."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

STORE = {"core", "core.media", "core.encoders", "core.store"}
SCORING = {*STORE, "core.scoring"}
MEASURING = {*SCORING, "core.training", "core.evaluation", "core.datasets"}
ENGINE = {*MEASURING, "core.audit", "core.running", "core.search", "core.timing"}
ALLOWED = {
    "core.media": {"core"},
    "core.encoders": {"core", "core.media"},
    "core.store": {"core", "core.media", "core.encoders"},
    "core.datasets": STORE,
    "core.scoring": {"core"},
    "core.training": SCORING,
    "core.evaluation": SCORING,
    "core.audit": {*SCORING, "core.evaluation"},
    "core.running": MEASURING,
    "core.timing": {"core", "core.scoring"},
    "core.cli": {*ENGINE, "methods", "reports", "core (what it offers)"},
    "core": {*MEASURING, "core.timing"},
    "core (what it offers)": {"core.running", "core.search"},
    "core.search": {*MEASURING, "core.running"},
    "methods": ENGINE,
    "reports": {*ENGINE, "methods"},
    "harness": {"core.cli"},
}
"""Room -> other rooms that its modules may import anywhere: in a function and under TYPE_CHECKING too."""


LATE = {
    ("core", "core.running.trained"),
    ("core", "core.search.building"),
    ("core", "core.search.opened"),
    ("core.workers", "core.threads"),
    ("reports.audit.command", "reports.audit.run"),
    ("reports.audit.command", "reports.collect"),
    ("reports.figures.write", "reports.figures.drawings"),
    ("reports.report", "reports.page.write"),
}
"""Module -> module of the house that it imports in a function, because that one takes seconds (torch,
matplotlib, jinja2, pandas) and is not always needed. The commands of `core.cli` do so as a rule."""


@cache
def modules() -> dict[str, Path]:
    """Every module of the product by name."""
    files = [
        ROOT / "harness.py",
        *(f for room in ("core", "methods", "reports") for f in ROOT.glob(f"{room}/**/*.py")),
    ]
    names = (".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files)
    return {name.removesuffix(".__init__"): file for name, file in zip(names, files, strict=True)}


def room_of(module: str) -> str:
    """`core.media` of `core.media.sampling`; `core` of a file that is in none of core's rooms.

    What `from core import ...` offers to users stands above the rooms, so that none of them but the
    command line, which asks for its place, may import it.
    """
    if module == "core":
        return "core (what it offers)"
    top, _, rest = module.partition(".")
    inner = f"core.{rest.partition('.')[0]}"
    return inner if top == "core" and rest and (ROOT / inner.replace(".", "/")).is_dir() else top


def imports(module: str, body: ast.AST) -> Iterator[str]:
    """What a part of a module imports, by full name."""
    for node in ast.walk(body):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative name"
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in modules() else str(node.module)


@cache
def imported_by(module: str) -> frozenset[str]:
    """The modules that a module imports at any place."""
    return frozenset(imports(module, ast.parse(modules()[module].read_text(encoding="utf-8"))))


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    back = [
        f"{module} -> {other}"
        for module in modules()
        if room_of(module) == room
        for other in imported_by(module)
        if other in modules() and room_of(other) not in {room, *ALLOWED[room]}
    ]
    assert not back


def test_every_module_is_in_a_room_of_the_house() -> None:
    assert {room_of(module) for module in modules()} <= set(ALLOWED)


def test_only_the_command_line_imports_typer_and_rich() -> None:
    astray = {
        module
        for module in modules()
        if {name.partition(".")[0] for name in imported_by(module)} & {"typer", "rich", "click"}
    }
    assert {room_of(module) for module in astray} == {"core.cli"}, astray


def test_nothing_of_the_house_is_imported_for_its_types_alone() -> None:
    for module, file in modules().items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                own = [name for name in imports(module, node) if name in modules()]
                assert not own, f"{module} imports {own} under TYPE_CHECKING"


def test_only_what_takes_seconds_is_imported_in_a_function() -> None:
    late = {
        (module, other)
        for module, file in modules().items()
        if room_of(module) != "core.cli"
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for other in imports(module, function)
        if other in modules()
    }
    assert late == LATE


def test_no_module_imports_itself_over_others() -> None:
    """A depth-first walk over imports of every kind meets no module that is still open."""
    closed: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module in closed:
            return
        for other in sorted(imported_by(module) & modules().keys()):
            visit(other, (*path, module))
        closed.add(module)

    for module in modules():
        visit(module, ())
