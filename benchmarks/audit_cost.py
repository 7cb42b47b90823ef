"""What the audit of each method costs: `python -m benchmarks.audit_cost [METHOD ...]`; prints a table.

Wall time says little on a machine that does other things as well; CPU seconds of all processes of an audit,
halved, are what two idle cores take at best.
"""

import os
import subprocess
import sys
import time
from typing import Annotated, NamedTuple

import psutil
import typer
from rich.table import Table

from core.cli.shell import console, one_line_errors
from core.errors import BenchError
from core.registry import registered_methods

EVERY = "--all"
GOALS = {EVERY: 180.0}
"""Seconds that an audit may take on two idle cores."""
METHOD_GOAL = 20.0
"""The same of any one method."""
LOOK = 0.05
"""Seconds between two looks at the processes, which end without telling what they took."""


class Cost(NamedTuple):
    """What a command takes."""

    wall: float
    """Seconds until it ends."""
    cpu: float
    """Seconds of all cores, in all of its processes."""
    load: float
    """Processes that wanted a core while it ran, its own among them: the machine's mean of a minute."""


def cost(*arguments: str) -> Cost:
    """What `bench audit` takes; raises `BenchError` where it says anything but pass or fail."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "harness.py", "audit", "--json", *arguments], stdout=subprocess.DEVNULL
    )
    taken: dict[int, float] = {}
    while process.poll() is None:
        for one in family(process.pid):
            try:
                used = one.cpu_times()
            except psutil.Error:  # it has just ended
                continue
            taken[one.pid] = used.user + used.system
        time.sleep(LOOK)
    if process.returncode not in (0, 1):
        raise BenchError(f"bench audit {' '.join(arguments)} ended with exit code {process.returncode}")
    return Cost(time.perf_counter() - begin, sum(taken.values()), os.getloadavg()[0])


def family(pid: int) -> list[psutil.Process]:
    """A process with its children and theirs, as far as they live."""
    try:
        return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


@one_line_errors
def main(
    methods: Annotated[list[str] | None, typer.Argument(help="Methods; all, and --all, if none.")] = None,
) -> None:
    """Audit methods one after the other, and all at once.

    Example: python -m benchmarks.audit_cost emcl save
    """
    table = Table("audit", "wall s", "CPU s", "load", "goal (wall, two idle cores)")
    for subject in methods or [*sorted(registered_methods()), EVERY]:
        found = cost(subject)
        goal = GOALS.get(subject, METHOD_GOAL)
        table.add_row(subject, f"{found.wall:.1f}", f"{found.cpu:.1f}", f"{found.load:.1f}", f"{goal:.0f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
