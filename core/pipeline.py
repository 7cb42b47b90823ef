"""A matrix from cells to outcomes: shared data first, then the cells in processes of their own."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from core.cells import digest, prepare_materials, uses_audio
from core.datasets import dataset_fingerprint, find_dataset, load_dataset
from core.datasets.missing import absence
from core.datasets.options import MissingPolicy
from core.method import registered_methods
from core.progress import Bars, Silent
from core.runs import find_runs, open_run
from core.scheduler import Cell, Outcome, default_workers, run_cells
from core.spec import SCHEMA, RunSpec, resolve


def shared_key(spec: RunSpec) -> tuple[object, ...]:
    """What two cells must agree in to read the same store and features."""
    return (spec.dataset, spec.backbone, spec.audio_encoder, spec.frames, spec.frame_sampling)


def data_key(spec: RunSpec) -> tuple[str, str]:
    """What two cells must agree in to ask for the same data set under the same options."""
    return spec.dataset, json.dumps(spec.data, sort_keys=True)


def announce(specs: Sequence[RunSpec], console: Console) -> None:
    """Says in one line per data set that a user has on disk how many videos there are and how many lack.

    Raises `BenchError` where that forbids to go on, before anything is decoded.
    """
    for spec in {data_key(spec): spec for spec in specs}.values():
        if find_dataset(spec.dataset).layout:
            dataset = load_dataset(spec.dataset, Silent(), workers=1, options=spec.data)
            counts = " · ".join(f"{name} {len(split.videos):,}" for name, split in dataset.splits.items())
            lost = (
                f"{absence(dataset)} ({spec.data['missing']})" if absence(dataset) else "no file is missing"
            )
            console.print(f"{spec.dataset}: {counts}; {lost}", markup=False, highlight=False)


def execute(specs: Sequence[RunSpec], root: Path, workers: int | None, console: Console) -> list[Outcome]:
    """Prepares data and features once, then runs every cell that is not finished yet.

    Finished cells come back as `done` without being run. Raises `BenchError` where the data cannot be
    prepared; a cell that fails is an outcome, not an exception.
    """
    announce(specs, console)
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
        ended = run_cells(waiting, workers or default_workers(len(waiting)), console)
        outcomes |= {outcome.cell.directory: outcome for outcome in ended}
    return [outcomes[cell.directory] for cell in cells]


def plan(specs: Sequence[RunSpec], root: Path) -> Table:
    """The cells as a table, with the state of those that have been run on the present data."""
    known = {}
    for directory in find_runs(root):
        status = directory.status()
        if status.get("schema") != SCHEMA:
            continue  # a cell of another version is none of these
        manifest = directory.read_json("manifest.json") if status.get("state") == "done" else {}
        fingerprint = manifest.get("fingerprints", {}).get("dataset")
        known[(directory.read_spec().canonical(), fingerprint)] = status.get("state")
    table = Table("method", "data", "fusion", "pooling", "perturbation", "audio", "frames", "seed", "state")
    fingerprints = {
        key: dataset_fingerprint(spec.dataset, spec.data)
        for key, spec in {data_key(spec): spec for spec in specs}.items()
    }
    for spec in specs:
        data = fingerprints[data_key(spec)]
        state = known.get((spec.canonical(), data)) or known.get((spec.canonical(), None)) or "to do"
        state = "no data" if data is None else state
        parts = [str(spec.config.get(part, "–")) for part in ("fusion", "pooling", "perturbation")]
        audio = spec.audio_encoder if parts[0] != "none" else "–"
        table.add_row(
            spec.method, spec.dataset, *parts, audio, str(spec.frames), str(spec.seeds.initialisation), state
        )
    return table


def prepare_dataset(
    name: str,
    methods: Sequence[str],
    workers: int | None,
    console: Console,
    missing: MissingPolicy = "fail",
) -> None:
    """Makes a data set, and the stores and features that some methods read by default.

    All registered methods where none is named. Raises `BenchError` as `prepare_materials` does.
    """
    progress = Bars(console)
    specs = [
        resolve(method, name, {"data.missing": missing}) for method in methods or sorted(registered_methods())
    ]
    announce(specs, console)
    for spec in {(shared_key(spec), uses_audio(spec)): spec for spec in specs}.values():
        materials = prepare_materials(spec, progress, workers or default_workers(64))
    console.print(
        f"{name} is ready: {len(materials.store)} clips, fingerprint {materials.dataset.fingerprint[:12]}"
    )
