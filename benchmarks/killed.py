"""Kills a running matrix at random moments, gives the command again, and holds the end against a quiet run.

    python -m benchmarks.killed --kills 5 avworld-frozen

Prints what was killed when and whether every cell ended with the same figures; exit code 1 where one did
not. Further arguments go to `bench run`.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console

from core.runs import RunDirectory, find_runs

BENCH = Path(sys.executable).with_name("bench")

POLL = 0.05
"""Seconds between two looks at the run folder."""


@dataclass(frozen=True)
class Moment:
    """When and whom a SIGKILL hits."""

    cells: int
    """Cells that must be finished first."""
    pause: float
    """Seconds that pass then."""
    whole: bool
    """Whether it hits the command with all its processes, or the command alone."""


@dataclass(frozen=True)
class Kill:
    """One SIGKILL that hit."""

    moment: Moment
    after: float
    """Seconds since the command was given."""
    finished: int
    """Cells that were finished by then."""


def begin(arguments: Sequence[str], runs: Path) -> subprocess.Popen[bytes]:
    """`bench run` as the head of a process group of its own; what it prints goes to a file beside `runs`."""
    with runs.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [BENCH, "run", *arguments, "--runs", runs], stdout=log, stderr=log, start_new_session=True
        )


def finished(runs: Path) -> list[RunDirectory]:
    """The finished cells by name."""
    return [directory for directory in find_runs(runs) if directory.is_done()]


def run_quietly(arguments: Sequence[str], runs: Path) -> float:
    """Runs a matrix undisturbed; returns its seconds."""
    started = time.monotonic()
    code = begin(arguments, runs).wait()
    if code:
        raise SystemExit(f"the undisturbed run ended with code {code}; see {runs.with_suffix('.log')}")
    return time.monotonic() - started


def run_killed(arguments: Sequence[str], runs: Path, moments: Sequence[Moment]) -> list[Kill]:
    """Gives the command, kills it at each moment in turn, and at last lets it end; returns the kills."""
    kills = []
    for moment in moments:
        started = time.monotonic()
        process = begin(arguments, runs)
        while process.poll() is None and len(finished(runs)) < moment.cells:
            time.sleep(POLL)
        time.sleep(moment.pause)
        if process.poll() is None:
            kills.append(Kill(moment, time.monotonic() - started, len(finished(runs))))
            if moment.whole:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
    run_quietly(arguments, runs)
    return kills


def random_moments(kills: int, cells: int, seconds: float, seed: int) -> list[Moment]:
    """Moments spread over a matrix of so many cells that takes `seconds` undisturbed, its end left out.

    The last cells may all end within one pause, and nothing would be left to kill.
    """
    chance = random.Random(seed)
    return [
        Moment(cell, chance.uniform(0, seconds / cells), chance.random() < 0.5)
        for cell in sorted(chance.choices(range(max(1, cells - 4)), k=kills))
    ]


def differences(quiet: Path, killed: Path) -> list[str]:
    """The cells that two run folders do not share, or whose metrics or ranks differ."""
    ours, theirs = ({cell.path.name: cell for cell in finished(runs)} for runs in (quiet, killed))
    differing = sorted(set(ours) ^ set(theirs))
    for name in sorted(set(ours) & set(theirs)):
        one, other = ours[name], theirs[name]
        ranks = [pd.read_parquet(cell.path / "queries.parquet") for cell in (one, other)]
        if one.read_json("metrics.json") != other.read_json("metrics.json") or not ranks[0].equals(ranks[1]):
            differing.append(name)
    return differing


def main(
    context: typer.Context,
    experiment: Annotated[str, typer.Argument()] = "avworld-frozen",
    kills: Annotated[int, typer.Option(min=1)] = 5,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    seed: int = 0,
) -> None:
    """Kills a matrix of cells at random moments and compares its end with an undisturbed run.

    Example: python -m benchmarks.killed --kills 5 avworld-frozen
    """
    console = Console()
    arguments = [experiment, "--workers", str(workers), *context.args]
    with tempfile.TemporaryDirectory() as folder:
        quiet, killed = Path(folder) / "quiet", Path(folder) / "killed"
        seconds = run_quietly(arguments, quiet)
        console.print(f"undisturbed: {len(finished(quiet))} cells in {seconds:.0f} s")
        started = time.monotonic()
        moments = random_moments(kills, len(finished(quiet)), seconds, seed)
        for number, kill in enumerate(run_killed(arguments, killed, moments), start=1):
            victim = "the command with all its processes" if kill.moment.whole else "the command alone"
            console.print(
                f"kill {number} after {kill.after:.1f} s: {victim}, {kill.finished} cells were finished"
            )
        console.print(
            f"disturbed: {len(finished(killed))} cells in {time.monotonic() - started:.0f} s, kills included"
        )
        differing = differences(quiet, killed)
    console.print(f"cells that differ: {', '.join(differing) or 'none'}")
    raise typer.Exit(1 if differing else 0)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(main)
    app()
