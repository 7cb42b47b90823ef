"""Disturbs a running matrix at random moments, gives the command again, compares the end with a quiet run.

    python -m benchmarks.killed --kills 5 avworld-frozen

A disturbance kills the command, alone or with all its processes, kills one cell, deletes the folder of a
running cell, or fills the disk (as root, on a small file system of its own). Prints what happened when and
whether every cell ended with the same figures and the command without a traceback; exit code 1 where one did
not. Further arguments go to `bench run`.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

import pandas as pd
import psutil
import typer
from rich.console import Console

from core.runs import RunDirectory, find_runs

BENCH = Path(sys.executable).with_name("bench")

POLL = 0.05
"""Seconds between two looks at the run folder."""

SMALL_DISK = "64m"
"""Size of the file system whose space runs out; a matrix of avworld-tiny takes a part of it."""

What = Literal["command", "group", "cell", "deletion", "full disk"]
"""What happens: SIGKILL to the command alone, to it and all its processes, or to one cell; the folder of a
running cell is deleted; the disk of the run folder is full until the command ends."""


@dataclass(frozen=True)
class Moment:
    """When something happens, and what."""

    cells: int
    """Cells that must be finished first."""
    pause: float
    """Seconds that pass then."""
    what: What
    """What it is."""


@dataclass(frozen=True)
class Kill:
    """A disturbance that hit a running command."""

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
            disturb(process, runs, moment.what)
    run_quietly(arguments, runs)
    return kills


def disturb(process: subprocess.Popen[bytes], runs: Path, what: What) -> None:
    """Does something to a command and waits for its end."""
    filler = runs / "filler"
    if what == "group":
        os.killpg(process.pid, signal.SIGKILL)
    elif what == "command":
        process.kill()
    elif what == "cell":
        for cell in cells_of(process.pid)[:1]:
            cell.kill()
    elif what == "deletion":
        running = [one.path for one in find_runs(runs) if one.status().get("state") == "running"]
        for folder in running[:1]:
            shutil.rmtree(folder, ignore_errors=True)  # its cell may be writing
    else:
        fill(filler)
    process.wait()
    filler.unlink(missing_ok=True)


def cells_of(command: int) -> list[psutil.Process]:
    """The processes in which a command runs cells: children of its server of processes."""
    servers = psutil.Process(command).children()
    return [cell for server in servers if server.is_running() for cell in server.children()]


def fill(file: Path) -> None:
    """Writes a file until the disk is full."""
    try:
        with file.open("wb", buffering=0) as zeros:
            while zeros.write(bytes(1 << 20)):
                pass
    except OSError:
        return


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own for a folder, which is created; root alone may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", folder]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def random_moments(
    kills: int, cells: int, seconds: float, seed: int, kinds: Sequence[What] = ("command", "group")
) -> list[Moment]:
    """Moments spread over a matrix of so many cells that takes `seconds` undisturbed, its end left out.

    The last cells may all end within one pause, and nothing would be left to disturb.
    """
    chance = random.Random(seed)
    return [
        Moment(cell, chance.uniform(0, seconds / cells), chance.choice(kinds))
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
    """Disturbs a matrix of cells at random moments and compares its end with an undisturbed run.

    Example: python -m benchmarks.killed --kills 5 avworld-frozen
    """
    console = Console()
    arguments = [experiment, "--workers", str(workers), *context.args]
    with tempfile.TemporaryDirectory() as folder:
        quiet, killed = Path(folder) / "quiet", Path(folder) / "killed"
        seconds = run_quietly(arguments, quiet)
        console.print(f"undisturbed: {len(finished(quiet))} cells in {seconds:.0f} s")
        started = time.monotonic()
        kinds = [what for what in get_args(What) if what != "full disk" or may_mount()]
        moments = random_moments(kills, len(finished(quiet)), seconds, seed, kinds)
        with small_disk(killed) if may_mount() else nullcontext():
            for number, kill in enumerate(run_killed(arguments, killed, moments), start=1):
                console.print(
                    f"{number} after {kill.after:.1f} s: {kill.moment.what}, "
                    f"{kill.finished} cells were finished"
                )
            console.print(
                f"disturbed: {len(finished(killed))} cells in {time.monotonic() - started:.0f} s, "
                "disturbances included"
            )
            differing = differences(quiet, killed)
        tracebacks = killed.with_suffix(".log").read_text().count("Traceback")
    console.print(f"cells that differ: {', '.join(differing) or 'none'}; tracebacks: {tracebacks}")
    raise typer.Exit(1 if differing or tracebacks else 0)


@cache
def may_mount() -> bool:
    """Whether this process may mount a file system: root outside a container, as a rule."""
    disk = Path(tempfile.gettempdir()) / f"may-mount-{os.getpid()}"
    with suppress(OSError, subprocess.CalledProcessError), small_disk(disk):
        return True
    return False


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(main)
    app()
