"""A matrix from cells to outcomes: shared data first, then the cells in processes of their own."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from core.data_options import MissingPolicy
from core.dataset import Dataset
from core.datasets import find_dataset, load_dataset
from core.errors import BenchError
from core.progress import ManyBars, Progress, Silent
from core.registry import registered_methods
from core.resolving import resolve
from core.run_files import read_manifest
from core.running.announcing import Announcer
from core.running.cells import prepare_inputs
from core.running.cluster import run_on_cluster
from core.running.cluster_crew import cluster_crew
from core.running.distributed import run_distributed
from core.running.early import check_splits
from core.running.other_code import OtherCode
from core.running.outcomes import Cell, Outcome, outcome_line
from core.running.partitions import partition_of
from core.running.places import default_slots
from core.running.probing import probe_method
from core.running.scheduler import run_cells
from core.running.slurm import run_on_slurm
from core.running.trackers import TrackerName
from core.running.tracking import mirrored
from core.runs import RunDirectory, folder_of, open_run
from core.spec import RunSpec
from core.torchrun import follows, launched
from core.workers import default_workers

MOST_FOLDERS = 10
"""Folders of a data set that every node of a cluster is asked for."""


def shared_key(spec: RunSpec) -> str:
    """What two cells must agree in to be prepared in the same way, as text."""
    shared = spec.model_dump(mode="json", exclude={"training", "evaluation", "seeds"})
    return json.dumps([shared, spec.training.mode, spec.evaluation.distractors], sort_keys=True)


def fingerprints_of(
    specs: Sequence[RunSpec], workers: int, progress: Progress, announcer: Announcer
) -> list[Mapping[str, str] | BenchError]:
    """Per cell the fingerprints of its data, weights and code, or why its data cannot be prepared.

    What can be known before is checked first, for all cells. Then data, store and features are made where
    they are missing; cells that share them ask only once. The announcer says what they hold.
    """
    refused = refusals(specs, workers, progress)
    found: dict[str, Mapping[str, str] | BenchError] = {}
    for spec, refusal in zip(specs, refused, strict=True):
        key = shared_key(spec)
        if key not in found and refusal is None:
            try:
                inputs = prepare_inputs(spec, progress, workers, announcer.known)
            except BenchError as error:
                found[key] = error
                continue
            found[key] = inputs.fingerprints()
            announcer.decoded(spec, inputs)
    return [refusal or found[shared_key(spec)] for spec, refusal in zip(specs, refused, strict=True)]


def refusals(specs: Sequence[RunSpec], workers: int, progress: Progress) -> list[BenchError | None]:
    """Per cell why its data set cannot be read or does not have what it asks for; None where it has."""
    datasets: dict[tuple[str, str], Dataset | BenchError] = {}
    found: list[BenchError | None] = []
    for spec in specs:
        key = spec.data_key()
        if key not in datasets:
            datasets[key] = read_or_refused(spec, workers, progress)
        dataset = datasets[key]
        found.append(dataset if isinstance(dataset, BenchError) else refusal_of(spec, dataset))
    return found


def read_or_refused(spec: RunSpec, workers: int, progress: Progress) -> Dataset | BenchError:
    """A cell's data set, or why it cannot be read."""
    try:
        return load_dataset(spec.dataset, progress, workers=workers, options=spec.data)
    except BenchError as error:
        return error


def refusal_of(spec: RunSpec, dataset: Dataset) -> BenchError | None:
    """What `check_splits` refuses a cell for, if anything."""
    try:
        check_splits(spec, dataset)
    except BenchError as error:
        return error
    return None


def already_finished(cell: Cell, progress: Progress) -> Outcome:
    """A cell that an earlier command has finished; failed where its files are damaged since."""
    try:
        read_manifest(cell.directory)
    except BenchError as error:
        outcome = Outcome(cell, "failed", str(error), fixable=True)
        progress.say(outcome_line(outcome), outcome.tone)
        return outcome
    progress.say(f"done {cell.directory.path.name}  (already finished)", "good")
    return Outcome(cell, "done")


def execute(
    specs: Sequence[RunSpec],
    root: Path,
    workers: int | None,
    cluster: str | None,
    screen: ManyBars,
    keep_old: bool = False,
    track: TrackerName | None = None,
) -> list[Outcome]:
    """Prepares data and features once, then runs every cell that is not finished yet.

    A cell that was finished by other code is run again, or with `keep_old` comes back as that code left it.

    Cells run in processes of this machine, on the `cluster` (an address of Ray, or a partition of Slurm), or
    one after the other by all the processes of which torchrun made this one. Finished cells come back as
    `done` without being run; those that run are mirrored into the tracker `track`. A cell that fails, or
    whose data cannot be prepared, is an outcome and no exception, but under torchrun, where it ends the
    command; raises `BenchError` where the data of no cell can be prepared.
    """
    if launched():
        if cluster:
            raise BenchError("--cluster trains each cell in one process; leave out --devices or torchrun")
        if keep_old:
            raise BenchError("--keep-old only reads; leave out --devices or torchrun")
        with mirrored(None if follows() else track, screen) as mirror:
            return run_distributed(specs, root, workers or default_workers(64), screen, mirror)
    announcer = Announcer(screen)
    announcer.listed(specs)
    found = fingerprints_of(specs, workers or default_workers(64), screen, announcer)
    refused = [error for error in found if isinstance(error, BenchError)]
    if len(refused) == len(specs):
        raise refused[0]
    outcomes, waiting, older = [], [], OtherCode(root)
    for spec, prints in zip(specs, found, strict=True):
        if isinstance(prints, BenchError):
            nowhere = RunDirectory(root / f"{spec.method}-{spec.dataset}")  # it has no hash, so no folder
            outcomes.append(Outcome(Cell(spec, nowhere), "failed", str(prints), fixable=True))
            screen.say(outcome_line(outcomes[-1]), outcomes[-1].tone)
            continue
        digest = spec.digest(*prints.values())
        done = folder_of(root, spec, digest).is_done()
        old = None if done else older.find(spec, prints)
        if old and keep_old:
            screen.say(f"done {old.path.name}  (already finished, by other code)", "good")
            outcomes.append(Outcome(Cell(spec, old), "done"))
            continue
        cell = Cell(spec, open_run(root, spec, digest), prints["code"])
        if done:
            outcomes.append(already_finished(cell, screen))
        else:
            waiting.append(cell)
    if older.found and not keep_old:
        screen.say(
            f"{older.found} of {len(specs)} cells were run with other code and are run again; "
            "--keep-old reads them as they are"
        )
    if waiting:
        with mirrored(track, screen) as mirror:
            mirror.follow(waiting)
            outcomes += run_waiting(waiting, workers, cluster, screen)
    return sorted(outcomes, key=lambda outcome: specs.index(outcome.cell.spec))


def run_waiting(
    cells: Sequence[Cell], workers: int | None, cluster: str | None, screen: ManyBars
) -> list[Outcome]:
    """Runs cells on a cluster where one is named, else in processes of this machine."""
    partition = partition_of(cluster) if cluster else None
    if partition is not None:
        return run_on_slurm(cells, workers, partition, screen)
    if cluster:
        return run_on_cluster(cells, workers, cluster, screen)
    return run_cells(cells, workers or default_slots(len(cells)), screen)


def prepare_dataset(
    name: str,
    methods: Sequence[str],
    workers: int | None,
    progress: Progress,
    missing: MissingPolicy = "fail",
    cluster: str | None = None,
) -> None:
    """Makes a data set, and the stores and features that some methods read by default.

    All registered methods where none is named. The Ray cluster at the address `cluster` does the work where
    one is named, else processes of this machine. Raises `BenchError` as `prepare_inputs` and `cluster_crew`.
    """
    specs = [
        resolve(method, name, {"data.missing": missing}) for method in methods or sorted(registered_methods())
    ]
    announcer = Announcer(progress)
    announcer.listed(specs)
    with ExitStack() as stack:
        size = workers or default_workers(64)
        if cluster:
            crew = stack.enter_context(cluster_crew(cluster, workers))
            crew.require_seen(media_folders(specs[0]))
            size = crew.workers
        for spec in {(shared_key(spec), probe_method(spec).needs.sound): spec for spec in specs}.values():
            inputs = prepare_inputs(spec, progress, size, announcer.known)
            announcer.decoded(spec, inputs)
    fingerprint = inputs.dataset.fingerprint
    progress.say(f"{name} is ready: {len(inputs.store)} clips, fingerprint {fingerprint[:12]}")


def media_folders(spec: RunSpec) -> list[Path]:
    """Folders of a data set that a user has on disk; none of a generated one, which is in the cache."""
    if not find_dataset(spec.dataset).layout:
        return []
    videos = load_dataset(spec.dataset, Silent(), workers=1, options=spec.data).videos
    return sorted({video.path.parent for video in videos})[:MOST_FOLDERS]
