"""The code that makes a run's figures, as one digest: a part of the run's identity.

Counted are the modules of the method, of the data set, of the encoders, and of the engine from `run_cell`
down, with every module of this project, or of a plug-in's own package, that they import, also in functions.
What counts of a module is its syntax tree: comments, docstrings and formatting do not change the digest, and
neither do the tables, the page and the command line, which `run_cell` does not import. Installed libraries
are told by their versions, which the manifest holds.
"""

import importlib.machinery
import importlib.metadata
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.util import find_spec, resolve_name
from pathlib import Path

from core.datasets import module_of
from core.encoders.entry import registered_encoders, split_variant
from core.errors import BenchError
from core.method import Method, MethodConfig
from core.registry import find_method
from core.running.syntax import Modules
from core.spec import RunSpec

ENGINE = "core.running.cells"
"""Where a cell is trained and scored; what it imports is the engine."""

PROJECT_PACKAGES = frozenset({"core", "methods", "benchmarks", "reports", "harness"})
"""Top-level names of this project."""

SILENT = frozenset({"core", "core.errors", "core.progress", "core.running.code", "core.running.syntax"})
"""Modules of the engine that cannot change a figure: they offer names to users, word messages, draw bars, or
make this digest."""

SUFFIXES = (".py", *importlib.machinery.EXTENSION_SUFFIXES, ".pyc")


def code_fingerprint(spec: RunSpec) -> str:
    """64 hexadecimal digits over the code that trains and scores a cell.

    Raises `BenchError` where a module has no file or does not parse.
    """
    modules = Modules.remembered()
    found = code_digest(closure({ENGINE, *roots_of(spec)}, modules), modules)
    modules.remember()
    return found


def roots_of(spec: RunSpec) -> set[str]:
    """The modules of a cell's own: of its method, its data set and its encoders.

    Of a method the base classes count too, of a configuration likewise, which may be another package's.
    """
    method = find_method(spec.method)
    classes = (*method.__mro__, *method.Config.__mro__)
    own = {cls.__module__ for cls in classes if issubclass(cls, Method | MethodConfig)}
    own.add(module_of(spec.dataset))
    encoders = registered_encoders().modules
    named = {split_variant(name)[0] for name in (spec.backbone, spec.audio_encoder)}
    return own | {encoders[name] for name in named if name in encoders}


def code_digest(files: Mapping[str, Path], modules: Modules) -> str:
    """The digest of some modules by name, wherever they are stored."""
    lines = (f"{name} {modules.read(path).digest}" for name, path in sorted(files.items()))
    return sha256("\n".join(lines).encode()).hexdigest()


def closure(roots: Iterable[str], modules: Modules) -> dict[str, Path]:
    """Files of the modules `roots` and of all modules of their own packages that they import, by name."""
    waiting = sorted(set(roots))
    own = installed_with({top_of(name) for name in waiting})
    found: dict[str, Path] = {}
    seen = set(SILENT)
    for name in waiting:
        if module_file(name) is None:
            raise BenchError(
                f"the code of {name} is in no file, so its runs cannot be told apart; put it in a module"
            )
    while waiting:
        name = waiting.pop()
        if not name or name in seen:
            continue
        seen.add(name)
        if (top_of(name) in own or is_nobodys(top_of(name))) and (path := module_file(name)):
            found[name] = path
            parent = name.rpartition(".")[0]
            package = name if path.stem == "__init__" else parent
            waiting.append(parent)  # importing a module runs the packages that hold it
            for imported in modules.read(path).imports:
                waiting += absolute(imported, package)
    return found


def top_of(name: str) -> str:
    """The first part of a dotted name."""
    return name.partition(".")[0]


def absolute(imported: str, package: str) -> list[str]:
    """The modules that a name in an import may mean, seen from a package; `.*` means all in a package."""
    try:
        name = resolve_name(imported, package)
    except ImportError:  # more dots than packages: it cannot be imported either
        return []
    parent, _, last = name.rpartition(".")
    if last != "*":
        return [name]
    path = module_file(parent)
    folder = path.parent.glob("*.py") if path and path.stem == "__init__" else ()
    return [parent, *(f"{parent}.{file.stem}" for file in folder)]


def installed_with(tops: set[str]) -> frozenset[str]:
    """This project's top-level names, the given ones, and those that were installed together with them."""
    plugged = tops - PROJECT_PACKAGES
    if not plugged:
        return PROJECT_PACKAGES
    owners = importlib.metadata.packages_distributions()
    packages = {package for top in plugged for package in owners.get(top, ())}
    return PROJECT_PACKAGES | plugged | {top for top, names in owners.items() if packages & set(names)}


@cache
def is_nobodys(top: str) -> bool:
    """Whether a top-level module is the user's own: neither installed nor one of Python's."""
    path = module_file(top)
    return path is not None and not any(path.is_relative_to(folder) for folder in library_folders())


@cache
def library_folders() -> frozenset[Path]:
    """Where Python's own modules and installed libraries are stored."""
    paths = sysconfig.get_paths()
    named = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return frozenset(Path(folder).resolve() for folder in (*named, *site.getsitepackages(), sys.prefix))


def module_file(name: str) -> Path | None:
    """The file of a module, found without importing it; None where there is none."""
    top, *rest = name.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # a module without a file, such as __main__
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin).resolve() if spec.has_location and spec.origin else None
    for folder in spec.submodule_search_locations or ():
        place = os.path.join(os.path.realpath(folder), *rest)
        for suffix in SUFFIXES:
            for file in (f"{place}/__init__{suffix}", place + suffix):
                if os.path.isfile(file):
                    return Path(file)
    return None
