"""Finished runs as one table: a row per run, protocol and direction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import BenchError
from core.method import find_method
from core.runs import RunDirectory, find_runs
from core.spec import SCHEMA, RunSpec, resolve

METRICS_FIELDS = {"results", "gates"}
MANIFEST_FIELDS = {
    "fingerprints",
    "store",
    "parameters",
    "peak_memory_bytes",
    "score_seconds",
    "started",
    "train_seconds",
}
"""What the tables read, beside the metrics themselves."""


@dataclass(frozen=True)
class Run:
    """A finished run, read back."""

    directory: RunDirectory
    spec: RunSpec
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]


def read_runs(root: Path) -> tuple[list[Run], list[str]]:
    """Every finished run under `root`, and a line for each run that was left out and why."""
    runs, notes = [], []
    for directory in find_runs(root):
        try:
            status = directory.status()
            if status.get("schema") != SCHEMA:
                notes.append(
                    f"{directory.path.name}: schema {status.get('schema')}, this version reads {SCHEMA}; "
                    "run the cell again"
                )
            elif status.get("state") != "done":
                notes.append(
                    f"{directory.path.name}: {status.get('state')}; the same `bench run` continues it"
                )
            else:
                runs.append(read_run(directory))
        except BenchError as error:
            notes.append(str(error))
    kept, stale = same_data(runs)
    return kept, notes + stale


def same_data(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs that may stand in one table, and a line for each that may not.

    The newest run says which version of its data set counts, and the newest of a label which weights and
    features: figures on other data are no further seeds.
    """
    data: dict[str, str] = {}
    everything: dict[tuple[str, str], Mapping[str, str]] = {}
    kept, notes = [], []
    for run in sorted(runs, key=lambda r: str(r.manifest["started"]), reverse=True):
        found = run.manifest["fingerprints"]
        current = data.setdefault(run.spec.dataset, found["dataset"]) == found["dataset"]
        if current and everything.setdefault((run.spec.dataset, label(run.spec)), found) == found:
            kept.append(run)
        else:
            notes.append(
                f"{run.directory.path.name}: made on other data or weights than newer runs; run it again"
            )
    return [run for run in runs if run in kept], notes


def read_run(directory: RunDirectory) -> Run:
    """One finished run; raises `BenchError` where a file of it is damaged or lacks a field."""
    spec = directory.read_spec()
    find_method(spec.method)
    manifest, metrics = directory.read_json("manifest.json"), directory.read_json("metrics.json")
    missing = (METRICS_FIELDS - set(metrics)) | (MANIFEST_FIELDS - set(manifest))
    if missing:
        raise BenchError(
            f"{directory.path}: no field {sorted(missing)[0]!r}; delete the folder and run the cell again"
        )
    return Run(directory, spec, manifest, metrics)


def label(spec: RunSpec) -> str:
    """The method's title and what differs from its defaults on this data set, seeds left out.

    >>> label(resolve("gaid", "avworld", {"config.fusion": "sample"}))
    'GAID (fusion=sample)'
    """
    default = flat(resolve(spec.method, spec.dataset, {}))
    changed = {
        key: value
        for key, value in flat(spec).items()
        if default.get(key) != value and not key.startswith("seeds.")
    }
    names = [f"{key.removeprefix('config.')}={text_of(value)}" for key, value in changed.items()]
    return find_method(spec.method).title + (f" ({', '.join(names)})" if names else "")


def flat(spec: RunSpec) -> dict[str, Any]:
    """A spec as dotted keys."""
    result: dict[str, Any] = {}
    for key, value in spec.model_dump(mode="json").items():
        if isinstance(value, dict):
            result |= {f"{key}.{name}": item for name, item in value.items()}
        else:
            result[key] = value
    return result


def text_of(value: Any) -> str:
    """A value as it stands in a label."""
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def frame_of(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run, split, condition, rescoring and direction, under the `expected` tie policy.

    Columns: run, label, dataset, seed, split, condition, rescoring, direction, R@1 ... MnR, undefined,
    interval (of R@1, 95 %, or None), strata (mapping), parameters, train_seconds, score_seconds.
    """
    rows = []
    for run in runs:
        for result in run.metrics["results"]:
            protocol = result["protocol"]
            rows.append(
                {
                    "run": run.directory.path.name,
                    "label": label(run.spec),
                    "dataset": run.spec.dataset,
                    "seed": run.spec.seeds.initialisation,
                    **{
                        key: protocol[key]
                        for key in ("split", "condition", "rescoring", "rescoring_uses", "queries", "gallery")
                    },
                    "direction": result["direction"],
                    **result["metrics"]["expected"],
                    "interval": result["recall_at_1_interval"],
                    "strata": result["strata"],
                    **{
                        key: run.manifest[key]
                        for key in ("parameters", "train_seconds", "score_seconds", "peak_memory_bytes")
                    },
                }
            )
    return pd.DataFrame(rows)
