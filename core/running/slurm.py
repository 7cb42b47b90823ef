"""Runs cells as one array job of Slurm, a task per cell, through submitit.

As on a Ray cluster, only a cell's spec and the name of its folder travel. Tasks do not depend on each other:
one that fails costs its own cell. The variables of sbatch (SBATCH_ACCOUNT, SBATCH_QOS, SBATCH_TIMELIMIT ...)
override what is asked for here. What a task prints is kept under RUNS/slurm/.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import BenchError
from core.paths import cache_root
from core.progress import Progress, Silent
from core.running.cluster import CHECKOUT_FOLDER, last_line
from core.running.outcomes import Cell, Outcome, outcome_line, outcome_of, run_and_mark
from core.running.partitions import SLURM, partition_facts, require_cluster
from core.runs import RunDirectory
from core.spec import RunSpec
from core.supervisor import raise_interrupt

QUEUE_LOOK = 1.0
"""Seconds between two looks at the tasks."""
MARKING = 60.0
"""Seconds that cancelled tasks have for marking their cells as interrupted."""
NOTICE = 120
"""Seconds before its time is up at which a task is told, so that its cell can be continued."""


def run_on_slurm(
    cells: Sequence[Cell], workers: int | None, partition: str, progress: Progress
) -> list[Outcome]:
    """Runs the cells as an array job in a partition, Slurm's default one for "".

    At most `workers` tasks run at a time, all of them unless given. Raises `BenchError` where submitit or
    Slurm is missing or refuses the job, and `KeyboardInterrupt` after the tasks have been cancelled.
    """
    require_cluster(f"{SLURM}:{partition}")
    root = cells[0].directory.path.parent.absolute()
    return run_array(cells, slurm_executor(root / "slurm", cells, workers, partition), progress)


def slurm_executor(folder: Path, cells: Sequence[Cell], workers: int | None, partition: str) -> Any:
    """What submits to Slurm; raises `BenchError` where there is no Slurm, or not this partition."""
    import submitit

    limit, gpus = partition_facts(partition)
    executor = submitit.SlurmExecutor(folder=folder)
    executor.update_parameters(
        job_name="bench",
        time=limit,
        cpus_per_task=max(cell.spec.training.threads for cell in cells),
        array_parallelism=workers or len(cells),
        signal_delay_s=NOTICE,
        **({"partition": partition} if partition else {}),
        **({"gpus_per_node": 1} if gpus else {}),
    )
    return executor


def run_array(cells: Sequence[Cell], executor: Any, progress: Progress) -> list[Outcome]:
    """Submits the cells to an executor of submitit and waits for all of them; raises as `run_on_slurm`."""
    from submitit.core.utils import FailedSubmissionError, UncompletedJobError

    cache = str(cache_root().absolute())
    folders = [cell.directory.path.absolute() for cell in cells]
    lists = ([c.spec for c in cells], folders, [c.code for c in cells], [cache] * len(cells))
    paths = [str(CHECKOUT_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # tasks find the engine where the nodes share it
    try:
        jobs = executor.map_array(run_as_task, *lists)
    except (FailedSubmissionError, UncompletedJobError, OSError) as error:
        raise BenchError(f"Slurm refused the job: {last_line(error)}; nothing was started") from error
    progress.say(
        f"{len(jobs)} tasks submitted as job {jobs[0].job_id.partition('_')[0]}; logs in {executor.folder}"
    )
    waiting, outcomes = list(zip(jobs, cells, strict=True)), list[Outcome]()
    try:
        while waiting:
            ended = [(job, cell) for job, cell in waiting if job.done()]
            waiting = [pair for pair in waiting if pair not in ended]
            for job, cell in ended:
                outcomes.append(outcome_of_task(job, cell))
                progress.say(outcome_line(outcomes[-1]), outcomes[-1].tone)
            if waiting and not ended:
                time.sleep(QUEUE_LOOK)
    except KeyboardInterrupt:
        cancel([job for job, _ in waiting])
        raise
    return outcomes


def outcome_of_task(job: Any, cell: Cell) -> Outcome:
    """How the cell of a task that has ended is."""
    from submitit.core.utils import UncompletedJobError

    try:
        refused, where = job.result()
    except UncompletedJobError as error:
        return outcome_of(cell, "", f"task {job.job_id} ended: {last_line(error)}")
    return outcome_of(cell, refused, "", where)


def cancel(jobs: Sequence[Any]) -> None:
    """Cancels tasks and gives them time to mark their cells."""
    for job in jobs:
        with suppress(subprocess.SubprocessError, OSError):  # it has ended meanwhile
            job.cancel(check=False)
    deadline = time.monotonic() + MARKING
    while time.monotonic() < deadline and not all(job.done() for job in jobs):
        time.sleep(QUEUE_LOOK)


def run_as_task(spec: RunSpec, path: Path, code: str, cache: str) -> tuple[str, str]:
    """Runs a cell in a task; returns why it could not be entered, if so, and the node's name.

    A task that is cancelled, or whose time is nearly up, leaves a cell that the same command continues.
    """
    for told in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(told, raise_interrupt)
    os.environ["BENCH_CACHE"] = cache
    directory = RunDirectory(path)
    if directory.is_done():  # by a task of an earlier command, which had waited in the queue
        return "", socket.gethostname()
    return run_and_mark(Cell(spec, directory, code), Silent()), socket.gethostname()
