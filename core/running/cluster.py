"""Runs cells on a Ray cluster: one task and one process per cell, results in the same run folder.

Nothing but the cell's spec and the name of its folder travels: data, features and results lie on a file
system that all nodes share, which is checked before any cell begins.
"""

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from core.errors import BenchError
from core.extras import missing_extra
from core.paths import cache_root
from core.progress import Progress, Silent
from core.running.outcomes import Cell, Outcome, outcome_line, outcome_of, run_and_mark
from core.running.places import default_slots
from core.runs import RunDirectory
from core.spec import RunSpec

CHECKOUT_FOLDER = Path(__file__).parents[2]
"""Where nodes without an installation of their own find the engine, if they share it."""

LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Variable that is 0 where Ray has all its processes listen on the loopback address, as it does by default on
Windows and macOS. Elsewhere `_node_ip_address="127.0.0.1"` is replaced by the public address (Ray 2.60)."""

NICENESS = "RAY_worker_niceness"
"""Variable with the niceness of a node's workers. Ray's own is 15: whatever else runs nearly stops a cell."""

RAY_PATIENCE = 60.0
"""Seconds that interrupted cells have to mark themselves."""
NODE_PATIENCE = 240.0
"""Seconds that a node has to answer: it starts a worker first, which imports the engine on a busy machine."""


def run_on_cluster(
    cells: Sequence[Cell], workers: int | None, address: str, progress: Progress
) -> list[Outcome]:
    """Runs the cells on the cluster at `address`, or with `local` on one that lives as long as this call.

    A cell takes one core, and one GPU where the cluster has any; at most `workers` run at a time. Raises
    `BenchError` where Ray is missing, no cluster answers or a node cannot see the folders, and
    `KeyboardInterrupt` after every running cell has marked itself as interrupted.
    """
    with connected(address, workers or default_slots(len(cells))) as ray:
        check_nodes(ray, [cells[0].directory.path.parent.absolute(), cache_root().absolute()])
        task = ray.remote(
            num_cpus=1,
            num_gpus=1 if ray.cluster_resources().get("GPU") else 0,
            max_calls=1,  # a process per cell, which leaves nothing behind
            max_retries=0,  # the same command tries a failed cell again
        )(run_on_node)
        waiting, outcomes = list(cells), list[Outcome]()
        running: dict[Any, Cell] = {}
        try:
            while waiting or running:
                while waiting and len(running) < (workers or len(cells)):
                    cell = waiting.pop(0)
                    running[task.remote(cell.spec, cell.directory.path.absolute(), cell.code)] = cell
                for ended in ray.wait(list(running), timeout=1.0)[0]:
                    outcomes.append(outcome_on(ray, running.pop(ended), ended))
                    progress.say(outcome_line(outcomes[-1]), outcomes[-1].tone)
        except KeyboardInterrupt:
            for task_of_cell in running:
                ray.cancel(task_of_cell)
            ray.wait(list(running), num_returns=len(running), timeout=RAY_PATIENCE)
            raise
    return outcomes


@contextmanager
def connected(address: str, cores: int) -> Iterator[ModuleType]:
    """The module `ray`, connected to a cluster; with `local` to a fresh one of so many cores."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use over the network by default
    if address == "local":
        os.environ[LOOPBACK] = "0"
        os.environ.setdefault(NICENESS, "0")
    try:
        import ray
    except ImportError as error:
        raise missing_extra("--cluster", "ray") from error
    paths = [str(CHECKOUT_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {"BENCH_CACHE": str(cache_root().absolute()), "PYTHONPATH": os.pathsep.join(paths)}
    options: dict[str, Any] = {"num_cpus": cores, "include_dashboard": False} if address == "local" else {}
    try:
        ray.init(
            address=address,
            runtime_env={"env_vars": variables},
            log_to_driver=False,
            logging_level=logging.ERROR,
            **options,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise BenchError(
            f"no Ray cluster answers at '{address}' ({str(error).splitlines()[0]}); "
            "start one with `ray start --head`, or use --cluster local"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def check_nodes(ray: ModuleType, folders: Sequence[Path], present: Sequence[Path] = ()) -> list[str]:
    """The names of the cluster's nodes; raises `BenchError` for one that cannot see all the folders.

    In `folders` a file is made to be looked for, where that can be; those that are `present` are left alone.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # A complete cache may be read-only; then it is looked for itself.
    marks = [folder / f".seen-{uuid4().hex}" if os.access(folder, os.W_OK) else folder for folder in folders]
    made = set(marks) - set(folders)
    marks = [*marks, *present]
    nodes = [node for node in ray.nodes() if node["Alive"]]
    probe = ray.remote(num_cpus=0, max_retries=0)(unseen)
    try:
        for mark in made:
            mark.touch()
        answers = {
            node_name(node["NodeManagerHostname"], node["NodeID"]): probe.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(marks)
            for node in nodes
        }
        for name, answer in answers.items():
            try:
                hidden = ray.get(answer, timeout=NODE_PATIENCE)
            except ray.exceptions.RayError as error:
                raise BenchError(
                    f"node {name} cannot run this project ({last_line(error)}); install it there too"
                ) from error
            if hidden:
                folder = hidden[0].parent if hidden[0] in made else hidden[0]
                raise BenchError(
                    f"node {name} cannot see {folder}; choose a folder that all nodes share "
                    "(--runs, BENCH_CACHE)"
                )
    finally:
        for mark in made:
            mark.unlink(missing_ok=True)
    return list(answers)


def node_name(host: str, node: str) -> str:
    """A node in words: several may share a machine."""
    return f"{host} ({node[:6]})"


def unseen(marks: Sequence[Path]) -> list[Path]:
    """Those files that this machine does not see."""
    return [mark for mark in marks if not mark.exists()]


def run_on_node(spec: RunSpec, path: Path, code: str) -> tuple[str, str]:
    """Runs a cell on this node; returns why it could not be entered, if so, and the node's name."""
    import ray

    node = node_name(socket.gethostname(), ray.get_runtime_context().get_node_id())
    return run_and_mark(Cell(spec, RunDirectory(path), code), Silent()), node


def outcome_on(ray: ModuleType, cell: Cell, task: Any) -> Outcome:
    """How a cell ended whose task has ended."""
    try:
        refused, where = ray.get(task)
    except ray.exceptions.RayError as error:
        return outcome_of(cell, "", f"its process on the cluster ended: {last_line(error)}")
    return outcome_of(cell, refused, "", where)


def last_line(error: Exception) -> str:
    """The last line of an error of Ray, which names the cause."""
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
