"""Cells that several processes train together: what torchrun does with `bench run`.

`bench run --devices 2 ...` starts torchrun on this machine; `torchrun ... $(which bench) run ...` does the
same on one machine or several that share the run folder and the cache. All processes run all cells, one
after the other. The first that fails ends the command, as a process that waits for a lost one cannot go
on; the same command again continues.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from core.cells import digest, prepare_materials, run_cell
from core.errors import BenchError
from core.outcomes import Cell, Outcome, describe, outcome_of, run_and_mark
from core.progress import Bars, Silent
from core.runs import open_run
from core.scheduler import raise_interrupt
from core.spec import RunSpec
from core.world import World, joined, launched_together


def start(devices: int, console: Console) -> None:
    """Becomes torchrun with so many processes of this command; in these, silences all but the leader."""
    if launched_together():
        console.quiet = os.environ["RANK"] != "0"
    elif devices > 1:
        sys.stdout.flush()
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
        os.execv(sys.executable, [sys.executable, *launcher, *sys.argv])


def run_together(specs: Sequence[RunSpec], root: Path, workers: int, console: Console) -> list[Outcome]:
    """Runs the cells in all processes of torchrun; returns their outcomes in each.

    `workers` processes more prepare the data. Raises `BenchError` where a cell fails.
    """
    signal.signal(signal.SIGTERM, raise_interrupt)
    with joined() as world:
        return [run_one(spec, root, workers, world, console) for spec in specs]


def run_one(spec: RunSpec, root: Path, workers: int, world: World, console: Console) -> Outcome:
    """Runs one cell unless it is finished. The leader prepares the data while the others wait."""
    if world.leads:
        materials = prepare_materials(spec, Bars(console), workers)
        open_run(root, spec, digest(spec, materials))
    world.wait()
    directory = open_run(root, spec, digest(spec, prepare_materials(spec, Silent(), workers=1)))
    cell = Cell(spec, directory)
    if directory.is_done():
        console.print(f"[green]done[/] {directory.path.name}  (before)")
        return Outcome(cell, "done")
    world.wait()  # nobody may find the cell running, or finished, while another still looks
    if not world.leads:
        run_cell(spec, directory, Silent())
        world.wait()
        return Outcome(cell, "done")
    outcome = outcome_of(cell, run_and_mark(cell, Bars(console)), "it ended without a word")
    console.print(describe(outcome))
    if outcome.state == "interrupted":
        raise KeyboardInterrupt
    if outcome.state == "failed":
        raise BenchError(outcome.message)
    world.wait()
    return outcome
