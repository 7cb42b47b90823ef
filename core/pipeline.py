"""A matrix from cells to outcomes: shared data first, then the cells in processes of their own."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from core.axes import has_axis
from core.cells import prepare_materials
from core.cluster import run_on_cluster
from core.errors import BenchError
from core.method import registered_methods
from core.outcomes import Cell, Outcome, describe
from core.progress import Bars, Progress
from core.runs import RunDirectory, open_run
from core.scheduler import default_slots, default_workers, run_cells
from core.spec import RunSpec, resolve
from core.together import run_together
from core.world import launched_together


def shared_key(spec: RunSpec) -> str:
    """What two cells must agree in to be prepared in the same way, as text."""
    shared = spec.model_dump(mode="json", exclude={"training", "evaluation", "seeds"})
    return json.dumps([shared, spec.training.mode], sort_keys=True)


def digests(specs: Sequence[RunSpec], workers: int, progress: Progress) -> list[str | BenchError]:
    """Per cell the hash that names its folder, or why its data cannot be prepared.

    Data, store and features are made where they are missing; cells that share them ask only once.
    """
    fingerprints: dict[str, Mapping[str, str] | BenchError] = {}
    found: list[str | BenchError] = []
    for spec in specs:
        key = shared_key(spec)
        if key not in fingerprints:
            try:
                fingerprints[key] = prepare_materials(spec, progress, workers).fingerprints()
            except BenchError as error:
                fingerprints[key] = error
        shared = fingerprints[key]
        found.append(shared if isinstance(shared, BenchError) else spec.digest(*shared.values()))
    return found


def execute(
    specs: Sequence[RunSpec], root: Path, workers: int | None, cluster: str | None, console: Console
) -> list[Outcome]:
    """Prepares data and features once, then runs every cell that is not finished yet.

    Cells run in processes of this machine, or on the Ray cluster at the address `cluster`, or one after the
    other by all the processes of which torchrun made this one. Finished cells come back as `done` without
    being run. A cell that fails, or whose data cannot be prepared, is an outcome
    and no exception; raises `BenchError` where the data of no cell can be prepared.
    """
    if launched_together():
        return run_together(specs, root, console)
    found = digests(specs, workers or default_workers(64), Bars(console))
    refused = [error for error in found if isinstance(error, BenchError)]
    if len(refused) == len(specs):
        raise refused[0]
    outcomes, waiting = [], []
    for spec, digest in zip(specs, found, strict=True):
        if isinstance(digest, BenchError):
            nowhere = RunDirectory(root / f"{spec.method}-{spec.dataset}")  # it has no hash, so no folder
            outcomes.append(Outcome(Cell(spec, nowhere), "failed", str(digest), mendable=True))
            console.print(describe(outcomes[-1]))
            continue
        cell = Cell(spec, open_run(root, spec, digest))
        if cell.directory.is_done():
            console.print(f"[green]done[/] {cell.directory.path.name}  (before)")
            outcomes.append(Outcome(cell, "done"))
        else:
            waiting.append(cell)
    if waiting and cluster:
        outcomes += run_on_cluster(waiting, workers, cluster, console)
    elif waiting:
        outcomes += run_cells(waiting, workers or default_slots(len(waiting)), console)
    return sorted(outcomes, key=lambda outcome: specs.index(outcome.cell.spec))


def prepare_dataset(name: str, workers: int | None, console: Console) -> None:
    """Makes a data set, its store and the features that the default methods read."""
    progress = Bars(console)
    listening = next(
        key for key, cls in sorted(registered_methods().items()) if has_axis(cls, "audio_encoder")
    )
    spec = resolve(listening, name, {})
    materials = prepare_materials(spec, progress, workers or default_workers(64))
    console.print(
        f"{name} is ready: {len(materials.store)} clips, fingerprint {materials.dataset.fingerprint[:12]}"
    )
