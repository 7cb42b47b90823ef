"""How long a user waits for answers that need no work: `python -m benchmarks.startup [--tree DIR]`.

Each figure is the median of some starts of `bench` in a process of its own, with warm file caches. `--tree`
names another checkout, so that two versions can be compared on one machine. The five methods are first run on
`avworld-tiny` for one epoch, so that "everything done" and the report have something to read.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.table import Table

from core.cli.shell import console, one_line_errors

ROOT = Path(__file__).parents[1]
MATRIX = ("run", "--datasets", "avworld-tiny", "--set", "training.epochs=1")
RUNS = "RUNS"
"""Stands for the folder of the runs."""
COMMANDS: dict[tuple[str, ...], float] = {
    ("--help",): 1,
    ("--version",): 1,
    ("run", "--help"): 1,
    ("rnu",): 1,
    ("run", "--method", "gaid"): 1,
    ("run", "avworld-fusio"): 1,
    ("run", "--methods", "gaidd"): 1,
    ("run", "--datasets", "avwrld"): 1,
    ("run", "--audio-encoder", "whisper"): 1,
    ("audit", "gaidd"): 1,
    ("data", "prepare", "avwrld"): 1,
    ("methods",): 3,
    ("data", "list"): 3,
    (*MATRIX, "--runs", RUNS, "--dry-run"): 3,
    (*MATRIX, "--runs", RUNS): 6,
    ("report", "--runs", RUNS): 6,
}
"""Command -> seconds that it may take on two idle cores."""


class Cost(NamedTuple):
    """What a command takes."""

    wall: float
    """Seconds until it ends."""
    cpu: float
    """Seconds of all cores, in it and its children; what else runs on the machine changes it little."""


def bench(tree: Path, arguments: Iterable[str], runs: Path) -> Cost:
    """What a command takes, whatever its exit code."""
    words = [str(runs) if word == RUNS else word for word in arguments]
    begin, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, tree / "harness.py", *words],
        cwd=runs.parent,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - begin, cpu)


def measure(trees: Sequence[Path], repeats: int) -> Table:
    """A row per command: the medians of each tree, in turn, so that a load on the machine meets all alike."""
    table = Table("command", *(f"{tree}: wall, CPU" for tree in trees), "CPU ratio", "goal (wall)")
    with tempfile.TemporaryDirectory() as folder:
        runs = {tree: Path(folder) / str(number) / "runs" for number, tree in enumerate(trees)}
        for tree in trees:
            runs[tree].parent.mkdir()
            bench(tree, (*MATRIX, "--runs", RUNS), runs[tree])
        for arguments, goal in COMMANDS.items():
            taken: dict[Path, list[Cost]] = {tree: [] for tree in trees}
            for _ in range(repeats):
                for tree in trees:
                    taken[tree].append(bench(tree, arguments, runs[tree]))
            costs = [
                Cost(*(statistics.median(cost) for cost in zip(*taken[tree], strict=True))) for tree in trees
            ]
            shown = " ".join("DIR" if word == RUNS else word for word in arguments)
            figures = (f"{cost.wall:.2f} s, {cost.cpu:.2f} s" for cost in costs)
            table.add_row(shown, *figures, f"{costs[0].cpu / costs[-1].cpu:.1f}x", f"{goal:g} s")
    return table


@one_line_errors
def main(
    tree: Annotated[list[Path] | None, typer.Option(help="A checkout to measure; repeatable.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Starts that a median is taken of.")] = 5,
) -> None:
    """Measure how long commands take that have nothing to do.

    Example: python -m benchmarks.startup --tree ../before --tree .
    """
    console.print(measure([path.resolve() for path in tree or [ROOT]], repeats))


if __name__ == "__main__":
    typer.run(main)
