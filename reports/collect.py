"""Finished runs, read back and checked: what may stand in one report, and why the rest may not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from core.errors import BenchError
from core.registry import find_method
from core.run_files import EpochLook, Manifest, MetricsFile, read_manifest, read_record, read_records
from core.runs import RunDirectory, find_runs
from core.spec import SCHEMA, RunSpec, explain
from reports.gates import Gates, read_gates
from reports.labels import label
from reports.queries import Answers, ResultKey, not_scored, read_answers

SHORT = 7
"""Characters by which a row names its code."""


@dataclass(frozen=True)
class Run:
    """A finished run, read back; every file of it that a report needs has been checked."""

    directory: RunDirectory
    spec: RunSpec
    manifest: Manifest
    answers: Mapping[ResultKey, Answers]
    """What its queries came to under every protocol that it was scored under."""
    gates: Mapping[str, Gates]
    """Audio gates by split; empty for a method without them."""
    epochs: Sequence[EpochLook]
    """R@1 after each epoch that was looked at."""
    label: str
    """What its configuration is called among the runs that it is read with."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.directory.path.name

    def within(self, stratum: str) -> Self:
        """The run with the queries of a stratum alone; raises `BenchError` where it has none."""
        return replace(self, answers={key: found.within(stratum) for key, found in self.answers.items()})

    def answered(self, protocol: ResultKey) -> Answers:
        """What it answered under a protocol; raises `BenchError` naming those that it has."""
        if protocol not in self.answers:
            raise not_scored(self.name, protocol, self.answers)
        return self.answers[protocol]


def read_runs(root: Path) -> tuple[list[Run], list[str]]:
    """Every finished run under `root`, and a line for each run that was left out and why."""
    runs, notes = [], []
    for directory in find_runs(root):
        try:
            runs.append(read_run(directory))
        except BenchError as error:
            notes.append(str(error))
    once, repeated = without_duplicates(runs)
    kept, stale = same_data(once)
    return kept, notes + repeated + stale


def within_stratum(runs: Sequence[Run], stratum: str) -> tuple[list[Run], list[str]]:
    """The runs with the queries of a stratum alone, and a line for each that has none.

    Raises `BenchError` where no run has any.
    """
    kept, notes = [], []
    for run in runs:
        try:
            kept.append(run.within(stratum))
        except BenchError as error:
            notes.append(f"{run.name}: {error}")
    if not kept:
        raise BenchError(notes[0])
    return kept, notes


def without_duplicates(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Each cell once, the newest of its folders, and a line for each folder that repeats one.

    Copied folders and folders of equal specs would otherwise count as further seeds.
    """
    newest: dict[tuple[str, str], Run] = {}
    for run in sorted(runs, key=started, reverse=True):
        newest.setdefault(cell_of(run), run)
    notes = [
        f"{run.name}: the same cell as {newest[cell_of(run)].name}; delete one of the two folders"
        for run in runs
        if newest[cell_of(run)] is not run
    ]
    return [run for run in runs if newest[cell_of(run)] is run], notes


def cell_of(run: Run) -> tuple[str, str]:
    """What tells a run's cell from every other: its spec, and the data and weights that it read."""
    return run.spec.canonical(), str(sorted(run.manifest.fingerprints.items()))


def code_of(run: Run) -> str:
    """The first digits of the digest of the code that made a run; `unknown` for runs of earlier versions."""
    return str(run.manifest.fingerprints.get("code", "unknown"))[:SHORT]


def code_marks(runs: Sequence[Run]) -> list[str]:
    """What is added to the label of each run: its code, where another run differs from it in that alone."""
    codes: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        codes.setdefault((run.spec.dataset, label(run.spec)), set()).add(code_of(run))
    several = [len(codes[run.spec.dataset, label(run.spec)]) > 1 for run in runs]
    return [f" (code {code_of(run)})" if mark else "" for run, mark in zip(runs, several, strict=True)]


def started(run: Run) -> str:
    """When a run began, ISO 8601."""
    return run.manifest.started


def same_data(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs that may stand in one report, and a line for each that may not.

    The newest run says which version of an annotation file counts, the newest under some options of a data
    set which version of that, and the newest of a label and its code which encoders and features: figures on
    other data are no further seeds. Which trained weights `bench evaluate` has scored is another matter for
    each seed: there the newest of label, code and seeds counts. Runs under other options, such as another
    policy for missing videos, have another version by right; their galleries are told apart where they
    differ.
    """
    files: dict[tuple[str, str], str] = {}
    data: dict[str, str] = {}
    everything: dict[tuple[str, str, str], Mapping[str, str]] = {}
    trained: dict[tuple[str, ...], str | None] = {}
    kept, notes = set(), []
    for run in sorted(runs, key=started, reverse=True):
        found, name = run.manifest.fingerprints, run.spec.dataset
        read = run.manifest.annotation_files
        current = all([files.setdefault((name, file), digest) == digest for file, digest in read.items()])
        current = current and data.setdefault(asked_data(run.spec), found["dataset"]) == found["dataset"]
        row = (name, label(run.spec), code_of(run))
        shared = {key: value for key, value in found.items() if key != "weights"}
        scored = found.get("weights")  # of another training for each seed, by right
        current = current and everything.setdefault(row, shared) == shared
        if current and trained.setdefault((*row, run.spec.seeds.model_dump_json()), scored) == scored:
            kept.add(run.directory)
        else:
            notes.append(f"{run.name}: made on other data or weights than newer runs; run it again")
    return [run for run in runs if run.directory in kept], notes


def asked_data(spec: RunSpec) -> str:
    """What two runs must agree in to have asked for the same version of a data set, as text."""
    elsewhere = spec.trained_on not in (None, spec.dataset)  # then only what is scored is read
    splits = spec.evaluation.splits if elsewhere else ()
    return json.dumps([spec.dataset, spec.data, spec.evaluation.distractors, splits], sort_keys=True)


def read_run(directory: RunDirectory) -> Run:
    """One finished run.

    Raises `BenchError` where it is not finished or of another version, and naming file and key where a file
    of it is damaged.
    """
    status, name = directory.status(), directory.path.name
    if not status:
        raise BenchError(f"{directory.path} holds no run; name a folder that `bench run` has made")
    if status.get("schema") != SCHEMA:
        raise BenchError(
            f"{name}: schema {status.get('schema')}, this version reads {SCHEMA}; run the cell again"
        )
    if status.get("state") != "done":
        raise BenchError(f"{name}: {status.get('state')}; the same `bench run` continues it")
    spec = directory.read_spec()
    method = find_method(spec.method)
    try:
        method.Config(**spec.config)
    except ValidationError as error:
        raise directory.damaged("spec.json", f"config.{explain(error)}") from error
    manifest = read_manifest(directory)
    metrics = read_record(directory, "metrics.json", MetricsFile)
    return Run(
        directory,
        spec,
        manifest,
        read_answers(directory, metrics.results),
        read_gates(directory, metrics.gates),
        read_records(directory, "epochs.jsonl", EpochLook),
        label(spec),
    )
