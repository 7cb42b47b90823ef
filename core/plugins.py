"""One way to find methods, data sets and encoders: the modules of a folder, then installed entry points.

Names are known from the sources without importing any (`names_of`), so that a mistyped one is answered at
once. What cannot be imported is kept as broken, with one line that says why: it stops the commands that ask
for it and no others.
"""

import ast
import importlib
import inspect
import pkgutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.errors import BenchError, unknown_name

Entry = TypeVar("Entry")

PROJECT = "av-retrieval-bench"
CHECKOUT = Path(__file__).parents[1] / "pyproject.toml"
"""Names the project's own entry points, which a source checkout need not have installed."""


@dataclass(frozen=True)
class Kind:
    """A kind of thing that is found by name."""

    noun: str
    """What the user calls it."""
    group: str
    """Entry point group under which packages register theirs."""
    folder: str
    """Package whose modules are searched."""
    where: str
    """Command that lists them."""
    record: str
    """What an entry point of the kind names."""
    helpers: bool = True
    """Whether the folder has other modules too, which name nothing and so are not imported."""


METHODS = Kind(
    "method", "av_retrieval_bench.methods", "methods", "bench methods", "core.method.Method", helpers=False
)
DATASETS = Kind(
    "dataset",
    "av_retrieval_bench.datasets",
    "core.datasets",
    "bench data list",
    "core.dataset.DatasetEntry",
)
ENCODERS = Kind(
    "encoder",
    "av_retrieval_bench.encoders",
    "core.encoders",
    "bench doctor",
    "core.encoders.entry.EncoderEntry",
)


class Registered(dict[str, Entry], Generic[Entry]):
    """What was found, by name."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.broken: dict[str, str] = {}
        """Name of what cannot be used -> why, in one line."""
        self.modules: dict[str, str] = {}
        """Name of an entry -> the module that registers it."""

    def find(self, name: str) -> Entry:
        """The entry of that name, whatever its case.

        Raises `BenchError` with the nearest right names, or with the reason where it is broken.
        """
        name = in_their_case(name, (*self, *self.broken))
        if name in self.broken and name not in self:
            raise BenchError(self.broken[name])
        if name not in self:
            raise unknown_name(self.kind.noun, name, self, self.kind.where)
        return self[name]


def in_their_case(name: str, known: Iterator[str] | tuple[str, ...]) -> str:
    """The one of the known names that differs from `name` in case only; else `name` as it is.

    >>> in_their_case("GAID", ("gaid", "tmass")), in_their_case("gaid2", ("gaid",))
    ('gaid', 'gaid2')
    """
    return next((other for other in known if other.casefold() == name.casefold()), name)


def register(kind: Kind, accept: Callable[[object, bool], Mapping[str, Entry]]) -> Registered[Entry]:
    """Imports everything of a kind.

    `accept` gives by name what an object registers, nothing for another one, and is told whether an entry
    point offers it; it may raise `BenchError`. Of two of one name the first counts, the second is broken.
    """
    found: Registered[Entry] = Registered(kind)
    for name, source, module, load in (*_modules(kind), *_installed(kind)):
        try:
            for own, entry in load(accept):
                if found.setdefault(own, entry) is not entry:
                    raise BenchError(f"'{own}' is also the name of {_origin(found[own])} {kind.noun}")
                found.modules.setdefault(own, module)
        except BenchError as error:
            found.broken[name] = f"{source}: {error}; fix it or uninstall it"
        except (Exception, SystemExit) as error:  # whatever an import raises belongs to the plug-in
            found.broken[name] = f"{source}: {reason_of_import(error)}; fix it or uninstall it"
    return found


Load = Callable[[Callable[[object, bool], Mapping[str, Any]]], list[tuple[str, Any]]]
"""Imports a source and gives what it registers by name."""


def _modules(kind: Kind) -> Iterator[tuple[str, str, str, Load]]:
    """Per module that may register something: name, how a message calls it, full name, what loads it."""
    for name, path in _sources(kind):
        if not kind.helpers or _names_in(path) != set():
            place = f"{kind.folder.replace('.', '/')}/{name}.py"
            module = f"{kind.folder}.{name}"
            yield name, place, module, partial(_of_module, module)


def _of_module(name: str, accept: Callable[[object, bool], Mapping[str, Any]]) -> list[tuple[str, Any]]:
    values = list(vars(importlib.import_module(name)).values())
    return [pair for value in values for pair in accept(value, False).items()]


def _installed(kind: Kind) -> Iterator[tuple[str, str, str, Load]]:
    """The same per entry point."""
    for point in points(kind.group):
        owner = point.dist.name if point.dist else point.value
        source = f"the {kind.noun} '{point.name}' of {owner}"
        yield point.name, source, point.module, partial(_of_point, kind, point)


def _of_point(
    kind: Kind, point: EntryPoint, accept: Callable[[object, bool], Mapping[str, Any]]
) -> list[tuple[str, Any]]:
    entries = list(accept(point.load(), True).items())
    if not entries:
        raise BenchError(f"{point.value} is no {kind.record}")
    return entries


def _origin(entry: object) -> str:
    """Whose something is, as far as it tells."""
    return f"{entry.__module__}'s" if isinstance(entry, type) else "another"


def reason_of_import(error: BaseException) -> str:
    """Why a source cannot be imported, in one line that ends in the place."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"cannot be imported ({reason}{_place(error)})"


def _place(error: BaseException) -> str:
    """The last line of a traceback, `, line 3 of late.py`; empty without one."""
    trace = inspect.getinnerframes(error.__traceback__)[-1:] if error.__traceback__ else []
    return "".join(f", line {frame.lineno} of {frame.filename.rpartition('/')[2]}" for frame in trace)


def points(group: str) -> list[EntryPoint]:
    """The entry points of a group: the project's own as its checkout names them, then the installed ones."""
    installed = entry_points(group=group)
    own = _of_checkout().get(group)
    if own is None:
        return list(installed)
    others = [point for point in installed if not (point.dist and point.dist.name == PROJECT)]
    return [*(EntryPoint(name, value, group) for name, value in own.items()), *others]


@cache
def _of_checkout() -> Mapping[str, Mapping[str, str]]:
    """Entry points by group, as the checkout's pyproject.toml names them; empty in an installation."""
    if not CHECKOUT.is_file():
        return {}
    project = tomllib.loads(CHECKOUT.read_text(encoding="utf-8")).get("project", {})
    groups: Mapping[str, Mapping[str, str]] = project.get("entry-points", {})
    return groups if project.get("name") == PROJECT else {}


def names_of(kind: Kind) -> set[str] | None:
    """Every name of a kind, read from the sources; None where some source does not tell without running.

    Names of broken entries are among them, and there may be more that register nothing.
    """
    found: set[str] = set()
    for name, path in _sources(kind):
        names = _names_in(path)
        if names is None:
            return None
        found |= names | ({name} if names else set())
    for point in points(kind.group):
        names = _names_in(_file_of(point))
        if not names:
            return None
        found |= {*names, point.name}
    return found


def listed(kind: Kind) -> tuple[str, ...]:
    """The names of a kind for a help text, in order; empty where only an import would tell them."""
    return tuple(sorted(names_of(kind) or ()))


def sources_of(kind: Kind) -> Iterator[Path]:
    """The sources of a kind: those of its folder, and those that entry points name where they have one."""
    yield from (path for _, path in _sources(kind))
    yield from filter(None, (_file_of(point) for point in points(kind.group)))


def _sources(kind: Kind) -> Iterator[tuple[str, Path]]:
    """The modules of a kind's folder, by name."""
    folders = importlib.import_module(kind.folder).__path__
    for folder in folders:
        for module in pkgutil.iter_modules([folder]):
            if not module.ispkg:
                yield module.name, Path(folder) / f"{module.name}.py"


def _file_of(point: EntryPoint) -> Path | None:
    """The source of an entry point, found without importing it; None where it has none."""
    package, _, rest = point.module.partition(".")
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    if not rest:
        return origin
    place = origin.parent.joinpath(*rest.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _names_in(path: Path | None) -> set[str] | None:
    """The names that a source gives to classes and records of its own; None where it does not tell.

    A class has `name = "gaid"` in its body; a record is made by a call with `name="msrvtt"`.
    """
    tree = syntax_of(path)
    if tree is None:
        return None
    given: list[ast.expr | None] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            given += [value for target, value in assigned(node.body) if target == "name"]
        calls = [value for _, value in assigned([node]) if isinstance(value, ast.Call)]
        given += [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "name"]
    constants = [value.value for value in given if isinstance(value, ast.Constant)]
    return set(map(str, constants)) if len(constants) == len(given) else None


def syntax_of(path: Path | None) -> ast.Module | None:
    """A source as its syntax tree; None where there is no source, or none that can be read."""
    try:
        return None if path is None else ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # whoever imports it says what is wrong
        return None


def assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr | None]]:
    """Target and value of the plain assignments of a body; a bare annotation assigns nothing."""
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _pairs(target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
            yield node.target.id, node.value


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr | None]]:
    """The names of a target with their values: of `name, title = "gaid", "GAID"` too."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, other)
    elif isinstance(target, ast.Tuple):
        yield from ((one.id, None) for one in target.elts if isinstance(one, ast.Name))
