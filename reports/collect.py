"""Finished runs as one table: a row per run, protocol and direction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import BenchError
from core.method import find_method
from core.runs import RunDirectory, find_runs
from core.spec import SCHEMA, RunSpec
from reports.labels import Labels, in_words, label, settings
from reports.queries import Answers, Outcomes, Protocol, read_outcomes

METRICS_FIELDS = {"results", "gates"}
MANIFEST_FIELDS = {
    "fingerprints",
    "store",
    "parameters",
    "peak_memory_bytes",
    "index_seconds",
    "queries",
    "query_seconds",
    "started",
    "text_length",
    "train_seconds",
    "training_videos",
}
"""What the tables read, beside the metrics themselves."""

MANIFEST_COLUMNS = ("parameters", "train_seconds", "index_seconds", "peak_memory_bytes")
PROTOCOL_COLUMNS = (
    "split",
    "condition",
    "rescoring",
    "rescoring_uses",
    "queries",
    "gallery",
    "gallery_fingerprint",
)
"""What a row of the table of results takes over as it is."""


@dataclass(frozen=True)
class Run:
    """A finished run, read back."""

    directory: RunDirectory
    spec: RunSpec
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]
    answers: Mapping[Protocol, Outcomes]
    """What its queries came to under every protocol without rescoring."""
    label: str
    """What its configuration is called among the runs that it is read with."""


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


def without_duplicates(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Each cell once, the newest of its folders, and a line for each folder that repeats one.

    Copied folders and folders of equal specs would otherwise count as further seeds.
    """
    newest: dict[tuple[str, str], Run] = {}
    for run in sorted(runs, key=started, reverse=True):
        newest.setdefault(cell_of(run), run)
    notes = [
        f"{run.directory.path.name}: the same cell as {newest[cell_of(run)].directory.path.name}; "
        "delete one of the two folders"
        for run in runs
        if newest[cell_of(run)] is not run
    ]
    return [run for run in runs if newest[cell_of(run)] is run], notes


def cell_of(run: Run) -> tuple[str, str]:
    """What tells a run's cell from every other: its spec, and the data and weights that it read."""
    return run.spec.canonical(), str(sorted(run.manifest["fingerprints"].items()))


def started(run: Run) -> str:
    """When a run began, ISO 8601."""
    return str(run.manifest["started"])


def same_data(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs that may stand in one table, and a line for each that may not.

    The newest run says which version of its data set counts, and the newest of a label which weights and
    features: figures on other data are no further seeds.
    """
    data: dict[str, str] = {}
    everything: dict[tuple[str, str], Mapping[str, str]] = {}
    kept, notes = set(), []
    for run in sorted(runs, key=started, reverse=True):
        found = run.manifest["fingerprints"]
        current = data.setdefault(run.spec.dataset, found["dataset"]) == found["dataset"]
        if current and everything.setdefault((run.spec.dataset, label(run.spec)), found) == found:
            kept.add(run.directory)
        else:
            notes.append(
                f"{run.directory.path.name}: made on other data or weights than newer runs; run it again"
            )
    return [run for run in runs if run.directory in kept], notes


def read_run(directory: RunDirectory) -> Run:
    """One finished run.

    Raises `BenchError` where it is not finished, of another version, damaged, or lacks a field.
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
    find_method(spec.method)
    manifest, metrics = directory.read_json("manifest.json"), directory.read_json("metrics.json")
    missing = (METRICS_FIELDS - set(metrics)) | (MANIFEST_FIELDS - set(manifest))
    if missing:
        raise BenchError(
            f"{directory.path}: no field {sorted(missing)[0]!r}; delete the folder and run the cell again"
        )
    return Run(directory, spec, manifest, metrics, read_outcomes(directory, rescoring="none"), label(spec))


def labelled(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs of one report, each named by what tells it from the others, and what the names leave out."""
    labels = Labels.among([run.spec for run in runs])
    return [replace(run, label=labels.of(run.spec)) for run in runs], labels.notes


def answers_of(runs: Sequence[Run]) -> Answers:
    """What the queries of each run came to, by the run's name."""
    return {run.directory.path.name: run.answers for run in runs}


def frame_of(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run, split, condition, rescoring and direction, under the `expected` tie policy.

    Columns: run, label, settings (all that a label may leave out), dataset, data, seed, split, condition,
    rescoring, rescoring_uses, queries, gallery, gallery_fingerprint, direction, R@1 ... MnR, undefined,
    metrics (of every tie policy), strata (mapping), parameters, train_seconds, index_seconds,
    query_milliseconds, peak_memory_bytes. `data` names data set and split, and the gallery too where one name
    stands for several.
    """
    rows = []
    for run in runs:
        manifest = run.manifest
        common = {
            "run": run.directory.path.name,
            "label": run.label,
            "settings": in_words(settings(run.spec)),
            "dataset": run.spec.dataset,
            "seed": run.spec.seeds.initialisation,
            **{key: manifest[key] for key in MANIFEST_COLUMNS},
            "query_milliseconds": 1000 * manifest["query_seconds"] / manifest["queries"],
        }
        for result in run.metrics["results"]:
            rows.append(
                common
                | {key: result["protocol"][key] for key in PROTOCOL_COLUMNS}
                | {"direction": result["direction"]}
                | result["metrics"]["expected"]
                | {"metrics": result["metrics"], "strata": result["strata"]}
            )
    frame = pd.DataFrame(rows)
    names = frame["dataset"] + "/" + frame["split"]
    several = frame.groupby(names)["gallery_fingerprint"].transform("nunique") > 1
    frame["data"] = names.where(~several, names + " #" + frame["gallery_fingerprint"].str[:4])
    return frame
