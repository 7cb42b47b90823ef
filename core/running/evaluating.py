"""`bench evaluate`: a finished run scored on other data, another gallery or under another condition.

Every condition is a cell with a folder of its own, which `bench report` reads like any other. Its spec is the
run's with the data set, the evaluation and `trained_on` changed; the weights are one of its fingerprints.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.assignments import sweeps
from core.data_options import DataOptions
from core.datasets import find_dataset
from core.errors import BenchError, unknown_name
from core.evaluation.evaluation import as_is
from core.progress import Progress
from core.retriever import Retriever
from core.run_files import CHECKPOINT, read_manifest
from core.running.announcing import Announcer
from core.running.cells import (
    RunInputs,
    finish_cell,
    prepare_inputs,
    score_cell,
    split_data,
)
from core.running.early import check_splits
from core.running.models import hears
from core.running.pipeline import shared_key
from core.running.trained import finished, require_same_towers, trained_retriever, verify_weights
from core.runs import RunDirectory, open_run
from core.spec import EvaluationSpec, RunSpec, explain
from core.threads import torch_threads

CHANGED = ("evaluation.", "data.")
"""Parts of a spec that scoring alone can change."""


@dataclass(frozen=True)
class AskedEvaluation:
    """What `bench evaluate` is asked to score beside the run's own settings."""

    dataset: str | None = None
    """None: the run's own."""
    split: str | None = None
    """None: the run's own splits, or `test` of another data set."""
    settings: Sequence[str] = ()
    """`evaluation.*` and `data.*` keys as `--set` has them, swept where they have several values."""


def evaluated_specs(run: RunSpec, asked: AskedEvaluation) -> list[RunSpec]:
    """The cells that are asked for, one per combination of swept values, as they are first.

    Raises `BenchError` for an unknown key, one that needs training, and a value out of range.
    """
    dataset = find_dataset(asked.dataset or run.dataset)
    swept = sweeps(asked.settings)
    known = {f"evaluation.{name}" for name in EvaluationSpec.model_fields}
    known |= {f"data.{name}" for name in dataset.options.model_fields}
    for key in swept:
        if not key.startswith(CHANGED):
            raise BenchError(
                f"--set {key} changes how a run is trained; bench evaluate takes evaluation.* and data.* keys"
            )
        if key not in known:
            raise unknown_name(f"key of bench evaluate on {dataset.name}", key, known)
    same = dataset.name == run.dataset
    kept = (
        run.data if same else {name: run.data[name] for name in DataOptions.model_fields if name in run.data}
    )
    splits = [asked.split] if asked.split else run.evaluation.splits if same else ["test"]
    evaluation = {**run.evaluation.model_dump(), "splits": splits}
    found = []
    for values in product(*swept.values()):
        given = dict(zip(swept, values, strict=True))
        data = validated(dataset.options, "data.", {**kept, **part_of("data.", given)})
        scored = validated(EvaluationSpec, "evaluation.", {**evaluation, **part_of("evaluation.", given)})
        spec = run.model_copy(
            update={
                "dataset": dataset.name,
                "trained_on": run.trained_on or run.dataset,
                "data": data.model_dump(mode="json"),
                "evaluation": scored,
            }
        )
        found.append(RunSpec.model_validate(spec.model_dump()))
    if any(spec.evaluation.audio != "as-is" for spec in found) and not hears(run):
        raise BenchError(f"{run.method} hears nothing under its configuration; leave evaluation.audio as-is")
    distinct = {spec.canonical(): spec for spec in found}
    return sorted(distinct.values(), key=lambda spec: spec != as_is(spec))


def part_of(prefix: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a part without its name."""
    return {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}


Part = TypeVar("Part", bound=BaseModel)


def validated(kind: type[Part], prefix: str, values: Mapping[str, Any]) -> Part:
    """A part of a spec; raises `BenchError` naming a key and the value that it does not take."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise BenchError(f"--set {prefix}{explain(error)}") from error


def evaluate_run(
    folder: Path, asked: AskedEvaluation, root: Path, progress: Progress, workers: int = 1
) -> list[RunDirectory]:
    """Scores a finished run under what is asked for; a folder under `root` per condition, in their order.

    Finished ones are not scored again. Raises `BenchError` where the run, the data or what is asked for
    cannot be used; conditions that were finished before stay.
    """
    directory = finished(folder)
    manifest = read_manifest(directory)
    verify_weights(directory, manifest)
    own = directory.read_spec()
    specs = evaluated_specs(own, asked)
    weights = "{} {:08x}".format(*manifest.files.get(CHECKPOINT, (0, 0)))
    figures = {
        name: getattr(manifest, name)
        for name in ("train_seconds", "training_videos", "selected_epoch", "selection_looks")
    }
    done = []
    for spec, inputs, retriever in each_opened(directory, specs, progress, workers):
        prints = {**inputs.fingerprints(), "weights": weights}
        cell = open_run(root, spec, spec.digest(*prints.values()))
        done.append(cell)
        if cell.is_done():
            progress.say(f"done {cell.path.name}  (already scored)", "good")
            continue
        with cell.locked(), torch_threads(spec.training.threads):
            began = datetime.now(UTC), monotonic()
            cell.set_status("running")
            data = split_data(spec, inputs)
            cost = score_cell(spec, inputs, retriever, data, cell, progress)
            finish_cell(
                cell,
                began[0],
                inputs,
                retriever,
                data,
                cost,
                fingerprints=prints,
                run=directory.path.name,
                wall_seconds=round(monotonic() - began[1], 2),
                **figures,
            )
        progress.say(f"done {cell.path.name}", "good")
    return done


def each_opened(
    directory: RunDirectory, specs: Sequence[RunSpec], progress: Progress, workers: int
) -> Iterator[tuple[RunSpec, RunInputs, Retriever]]:
    """Each cell with its data and the run's weights over it; cells that share their data open it once."""
    last: tuple[str, RunInputs, Retriever] | None = None
    prints = read_manifest(directory).fingerprints
    announcer = Announcer(progress)
    announcer.listed(specs)
    for spec in specs:
        key = shared_key(spec) + str(spec.evaluation.splits)
        if last is None or last[0] != key:
            inputs = prepare_inputs(spec, progress, workers, announcer.known)
            announcer.decoded(spec, inputs)
            require_same_towers(directory, prints, inputs.clip)
            check_splits(untrained(spec), inputs.dataset)
            last = key, inputs, trained_retriever(directory, spec, inputs)
        yield spec, last[1], last[2]


def untrained(spec: RunSpec) -> RunSpec:
    """The cell without any epoch: what is only scored needs no training split."""
    return spec.model_copy(update={"training": spec.training.model_copy(update={"epochs": 0})})
