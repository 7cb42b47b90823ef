"""A matrix from cells to outcomes: shared data first, then the cells in processes of their own."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from core.axes import has_axis
from core.cells import digest, prepare_materials
from core.cluster import run_on_cluster
from core.errors import BenchError
from core.method import registered_methods
from core.outcomes import Cell, Outcome
from core.progress import Bars
from core.runs import open_run
from core.scheduler import default_slots, default_workers, run_cells
from core.spec import RunSpec, resolve
from core.together import run_together
from core.world import launched_together


def shared_key(spec: RunSpec) -> tuple[object, ...]:
    """What two cells must agree in to read the same store and features."""
    return (
        spec.dataset,
        spec.backbone,
        spec.checkpoint,
        spec.audio_encoder,
        spec.frames,
        spec.frame_sampling,
    )


def execute(
    specs: Sequence[RunSpec], root: Path, workers: int | None, cluster: str | None, console: Console
) -> list[Outcome]:
    """Prepares data and features once, then runs every cell that is not finished yet.

    Cells run in processes of this machine, or on the Ray cluster at the address `cluster`, or one after the
    other by all the processes of which torchrun made this one. Finished cells come back as `done` without
    being run. Raises `BenchError` where the data cannot be prepared; a cell that fails is an outcome, not an
    exception, but under torchrun, where it ends the command.
    """
    if launched_together():
        if cluster:
            raise BenchError("--cluster trains each cell in one process; leave out --devices or torchrun")
        return run_together(specs, root, workers or default_workers(64), console)
    progress = Bars(console)
    cells = []
    for spec in specs:
        materials = prepare_materials(spec, progress, workers or default_workers(64))
        cells.append(Cell(spec, open_run(root, spec, digest(spec, materials))))
    waiting = []
    outcomes = {}
    for cell in cells:
        if cell.directory.is_done():
            console.print(f"[green]done[/] {cell.directory.path.name}  (before)")
            outcomes[cell.directory] = Outcome(cell, "done")
        else:
            waiting.append(cell)
    if waiting:
        if cluster:
            ended = run_on_cluster(waiting, workers, cluster, console)
        else:
            ended = run_cells(waiting, workers or default_slots(len(waiting)), console)
        outcomes |= {outcome.cell.directory: outcome for outcome in ended}
    return [outcomes[cell.directory] for cell in cells]


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
