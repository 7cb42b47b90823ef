"""Work for the crews of tests, in a module that the workers of a Ray cluster can import."""

from pathlib import Path

import psutil

from core.errors import BenchError
from core.workers import Begin


def squared(item: int, begin: Begin) -> int:
    """A function of a worker."""
    return item * item


def fatal(item: tuple[str, Path], begin: Begin) -> str:
    """Raises, kills its own process, or the first time the worker above it, as the item says; or works."""
    kind, mark = item
    begin(f"step of {kind}")
    if kind == "raises":
        raise BenchError("a line for the user")
    if kind == "poison" or (kind == "lost" and not mark.exists()):
        mark.touch()
        own = psutil.Process()
        victim = own if kind == "poison" else own.parent().parent()  # the task, above the server of processes
        victim.kill()
    return kind
