"""Cells that several processes train together: what torchrun does with `bench run`.

`bench run --devices 2 ...` starts torchrun on this machine; `torchrun ... $(which bench) run ...` does the
same on one machine or several that share the run folder and the cache. All processes run all cells, one
after the other. The first that fails ends the command, as a process that waits for a lost one cannot go
on; the same command again continues.
"""

import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from core.errors import BenchError
from core.progress import Progress, Silent
from core.running.announcing import Announcer
from core.running.cells import prepare_inputs, run_cell, run_hash
from core.running.outcomes import Cell, Outcome, outcome_line, outcome_of, run_and_mark
from core.running.tracking import Mirror
from core.runs import open_run
from core.spec import RunSpec
from core.supervisor import raise_interrupt
from core.training.world import World, joined

WATCH = 0.1
"""Seconds between two looks at whether the launcher lives."""


def run_distributed(
    specs: Sequence[RunSpec], root: Path, workers: int, progress: Progress, mirror: Mirror
) -> list[Outcome]:
    """Runs the cells in all processes of torchrun; returns their outcomes in each.

    `workers` processes more prepare the data. Raises `BenchError` where a cell fails.
    """
    signal.signal(signal.SIGTERM, raise_interrupt)
    if "TORCHELASTIC_RUN_ID" in os.environ:  # by torchrun; another launcher may end before its processes
        threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    with joined() as world:
        announcer = Announcer(progress if world.leads else Silent())
        announcer.listed(specs)
        return [run_one(spec, root, workers, world, progress, mirror, announcer) for spec in specs]


def end_with(parent: int) -> None:
    """Ends this process when the parent of that number has died.

    torchrun starts each process in a session of its own. Killed, it can tell none of them, nor does its
    group's signal reach them; they would train on, unseen, and hold the cell.
    """
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


def run_one(
    spec: RunSpec,
    root: Path,
    workers: int,
    world: World,
    progress: Progress,
    mirror: Mirror,
    announcer: Announcer,
) -> Outcome:
    """Runs one cell unless it is finished. The leader prepares the data while the others wait."""
    if world.leads:
        inputs = prepare_inputs(spec, progress, workers, announcer.known)
        announcer.decoded(spec, inputs)
        open_run(root, spec, run_hash(spec, inputs))
    world.wait()
    directory = open_run(root, spec, run_hash(spec, prepare_inputs(spec, Silent(), workers=1)))
    cell = Cell(spec, directory)
    if directory.is_done():
        progress.say(f"done {directory.path.name}  (already finished)", "good")
        return Outcome(cell, "done")
    world.wait()  # nobody may find the cell running, or finished, while another still looks
    if not world.leads:
        run_cell(spec, directory, Silent())
        world.wait()
        return Outcome(cell, "done")
    mirror.follow([cell])
    outcome = outcome_of(cell, run_and_mark(cell, progress), "it ended without a word")
    progress.say(outcome_line(outcome), outcome.tone)
    if outcome.state == "interrupted":
        raise KeyboardInterrupt
    if outcome.state == "failed":
        raise BenchError(outcome.message)
    world.wait()
    return outcome
