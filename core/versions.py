"""What is installed: versions, whether the binary libraries fit each other, and why one cannot be imported.

Nothing here imports torch, so that a broken one can be named.
"""

import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from types import TracebackType
from typing import Any

from packaging.requirements import Requirement

from core.errors import BenchError
from core.lock import lock_digest

TRIO = ("torch", "torchvision", "torchaudio")
"""Libraries of one build each, which call into each other's machine code."""
UNDECLARED = {"torchaudio>=2.11.1": "torch>=2.12"}
"""What a library of the trio needs although its metadata asks for less: torchaudio 2.11.1 calls
`torch_exception_get_what_without_backtrace`, which torch 2.11 does not have."""
OWN_MODULES = ("core", "methods", "reports", "benchmarks", "harness", "__main__")
"""Packages of this project, whose own errors are not those of a library."""
REMEDY = "run `make setup`, or install versions that docs/versions.md lists"


def package_version(name: str) -> str:
    """Installed version, or `absent`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def check_trio() -> None:
    """Raises `BenchError` where torch, torchvision and torchaudio cannot work together.

    Read from their metadata; nothing is imported.
    """
    for name in TRIO:
        found = package_version(name)
        if found == "absent":
            raise BenchError(f"{name} is not installed; {REMEDY}")
        for need in requirements_of(name, found):
            other = package_version(need.name)
            if not need.specifier.contains(other, prereleases=True):
                raise BenchError(
                    f"{name} {found} cannot work beside {need.name} {other}, it needs {need}; {REMEDY}"
                )


def requirements_of(name: str, found: str) -> Iterator[Requirement]:
    """What a library at version `found` needs of the other two."""
    for need in map(Requirement, requires(name) or ()):
        if need.name in TRIO and (need.marker is None or need.marker.evaluate({"extra": ""})):
            yield need
    for stated, undeclared in UNDECLARED.items():
        affected = Requirement(stated)
        if affected.name == name and affected.specifier.contains(found, prereleases=True):
            yield Requirement(undeclared)


def broken_library(error: BaseException) -> str | None:
    """The line for an error that a library raised while it was imported; None for any other error.

    A missing symbol is an ImportError or an OSError without a number, an operator that another build
    registers a RuntimeError: what tells them apart from errors of this project is where they were raised.
    """
    cause: BaseException | None = error
    while cause is not None:
        library = failed_import(cause)
        if library is not None:
            reason = " ".join(str(cause).split()) or type(cause).__name__
            names = dict.fromkeys([library, *TRIO])
            versions = ", ".join(f"{name} {package_version(name)}" for name in names)
            return f"{library} cannot be imported ({reason}); installed: {versions}; {REMEDY}"
        cause = cause.__cause__ or cause.__context__
    return None


def failed_import(error: BaseException) -> str | None:
    """The installed package whose import raised `error`, or that is missing; None where none did."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        if missing not in OWN_MODULES:
            return missing
    importing = list(packages_in_import(error.__traceback__))
    return importing[-1] if importing and importing[-1] not in OWN_MODULES else None


def packages_in_import(traceback: TracebackType | None) -> Iterator[str]:
    """The package of every module that was executing its top level, from the outermost frame."""
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code.co_name == "<module>":
            yield str(frame.f_globals.get("__name__", "")).partition(".")[0]
        traceback = traceback.tb_next


def git_state() -> Mapping[str, Any]:
    """Commit and dirty flag of this code base; both None outside a checkout."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    changes = git("status", "--porcelain", "--untracked-files=no")
    return {"sha": git("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def version_line() -> str:
    """Version, commit and lock, e.g. `bench 0.1.0, commit 1a2b3c4, lock 5d6e7f8a9b0c`."""
    state = git_state()
    commit = state["sha"][:12] if state["sha"] else "unknown"
    changed = " with changes" if state["dirty"] else ""
    lock = lock_digest() or "none"
    return f"bench {package_version('av-retrieval-bench')}, commit {commit}{changed}, lock {lock}"
