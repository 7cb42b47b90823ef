"""How long a cell will take: as one that this machine has finished, else as one that was measured elsewhere.

Only cells that agree in all that decides the cost tell something of each other; of others there is no
estimate, and `core.running.untimed` says why.

`benchmarks/measured_seconds.csv` holds what was measured elsewhere, for a machine that has finished nothing
yet; `python -m benchmarks.measured_seconds` writes it from finished runs.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from core.assignments import parse_assignment
from core.axes import Declared
from core.errors import BenchError
from core.plugins import METHODS, names_of
from core.resolving import fields_of, resolve
from core.running.axes import idle_keys
from core.spec import RunSpec, dotted

MEASURED_FILE = Path(__file__).parents[2] / "benchmarks" / "measured_seconds.csv"
MEASURED_COLUMNS = ("method", "dataset", "settings", "training_seconds", "other_seconds", "machine", "date")
"""`settings`: what differs from the method's defaults, `key=value` separated by semicolons."""

SAME_COST = frozenset(
    {
        *("recipe", "trained_on", "frame_sampling", "seeds.data", "seeds.initialisation", "seeds.noise"),
        *("data.missing", "data.resize", "data.reader", "data.channels", "data.sound_end"),
        *("training.drop_last", "training.optimizer", "training.schedule", "training.warmup"),
        *("training.lr_new", "training.lr_clip", "training.lr_factors", "training.weight_decay"),
        *("training.decay_biases", "training.gradient_clip", "training.crop", "training.gathered_gradient"),
        *("training.selection", "training.validate_every", "training.save_minutes"),
        *("evaluation.rescoring", "evaluation.qb_bank", "evaluation.qb_beta", "evaluation.qb_theta"),
        "evaluation.tie_tolerance",
    }
)
"""Keys that change little of what a cell costs; so do all numbers of a method's configuration that are no
counts, such as weights of losses. Any other key decides it."""
SCALED = "training.epochs"
"""The key with which training time grows in proportion."""

TimingSource = Literal["finished cells", "measured_seconds.csv"]


@dataclass(frozen=True)
class Timing:
    """What a finished cell took."""

    spec: RunSpec
    training: float
    """Seconds of training, over all lives of the cell."""
    other: float
    """Seconds of everything else."""


@dataclass(frozen=True)
class CellEstimate:
    """How long a cell will take."""

    seconds: float
    source: TimingSource


def estimate_of(spec: RunSpec, timings: Sequence[Timing]) -> CellEstimate | None:
    """How long a cell will take by this machine's `timings`, else by those measured elsewhere.

    None where neither has one that agrees in all that decides the cost.
    """
    sources: tuple[tuple[TimingSource, Sequence[Timing]], ...] = (
        ("finished cells", timings),
        ("measured_seconds.csv", measured_timings()),
    )
    for source, found in sources:
        seconds = estimated_seconds(spec, found)
        if seconds is not None:
            return CellEstimate(seconds, source)
    return None


def estimated_seconds(spec: RunSpec, timings: Sequence[Timing]) -> float | None:
    """Seconds that a cell will take: the mean of the nearest ones that were timed and cost the same.

    The nearer the fewer keys of their specs differ, seeds aside; training time is scaled with the number of
    epochs. None where no cell with the same `cost_keys` was timed.
    """
    wanted, deciding = dotted(spec), cost_keys(spec)
    keys = [key for key in wanted if not key.startswith("seeds.")]
    near: dict[int, list[float]] = {}
    for timing in timings:
        if differing(deciding, timing) or (spec.training.epochs and not timing.spec.training.epochs):
            continue
        values = dotted(timing.spec)
        epochs = spec.training.epochs / max(1, timing.spec.training.epochs)
        distance = sum(values.get(key) != wanted[key] for key in keys)
        near.setdefault(distance, []).append(timing.other + timing.training * epochs)
    nearest = near[min(near)] if near else []
    return sum(nearest) / len(nearest) if nearest else None


def cost_keys(spec: RunSpec) -> Mapping[str, Any]:
    """The values that decide what a cell costs, by dotted key: the kinds and sizes of what it computes.

    Keys that have no effect in the cell are left out, and so are the epochs, with which the cost grows.
    """
    fields, values = fields_of(spec.method, spec.dataset), dotted(spec)
    idle = idle_keys(spec, values)
    return {
        key: value
        for key, value in values.items()
        if key not in SAME_COST and key != SCALED and key not in idle and not is_weight(fields.get(key))
    }


def is_weight(field: Declared | None) -> bool:
    """Whether a field is a number of a method's configuration that counts nothing, e.g. `config.alpha`."""
    return field is not None and field.key.startswith("config.") and field.info.annotation is float


def differing(deciding: Mapping[str, Any], timing: Timing) -> Mapping[str, Any]:
    """Those of the values that decide a cell's cost that a timed one does not have."""
    values = dotted(timing.spec)
    return {key: value for key, value in deciding.items() if values.get(key) != value}


@cache
def measured_rows() -> Sequence[dict[str, str]]:
    """The rows of the table of measured cells, by `MEASURED_COLUMNS`; none where the file is not here."""
    if not MEASURED_FILE.is_file():
        return []
    with MEASURED_FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def measured_timings() -> Sequence[Timing]:
    """What was measured elsewhere; rows of methods that are not here, or have other keys, are left out."""
    installed = names_of(METHODS)
    found = []
    for row in measured_rows():
        if installed is not None and row["method"] not in installed:
            continue
        given = dict(parse_assignment(text) for text in row["settings"].split(";") if text)
        try:
            spec = resolve(row["method"], row["dataset"], given)
        except BenchError:  # a plug-in that takes a method's place has keys of its own
            continue
        found.append(Timing(spec, float(row["training_seconds"]), float(row["other_seconds"])))
    return found


def measured_on() -> str:
    """The machines and days of the measured cells, for the line that says where an estimate comes from."""
    rows = measured_rows()
    machines = ", ".join(dict.fromkeys(row["machine"] for row in rows))
    days = sorted({row["date"] for row in rows})
    return f"{machines}, {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if rows else ""
