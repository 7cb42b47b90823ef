"""How long a cell will take: as the nearest one that this machine has finished, else as the nearest measured.

`benchmarks/measured_seconds.csv` holds what was measured elsewhere, for a machine that has finished nothing
yet; `python -m benchmarks.measured_seconds` writes it from finished runs.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from core.assignments import parse_assignment
from core.errors import BenchError
from core.plugins import METHODS, names_of
from core.resolving import resolve
from core.spec import RunSpec, dotted

MEASURED_FILE = Path(__file__).parents[2] / "benchmarks" / "measured_seconds.csv"
MEASURED_COLUMNS = ("method", "dataset", "settings", "training_seconds", "other_seconds", "machine", "date")
"""`settings`: what differs from the method's defaults, `key=value` separated by semicolons."""

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

    None where neither has a cell of the same method, data set and mode of training.
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
    """Seconds that a cell will take: the mean of the nearest ones that were timed.

    Near are cells of the same method, data set and mode of training, the nearer the fewer keys of their
    specs differ; seeds do not count, and training time is scaled with the number of epochs. None where
    there is no such cell.
    """
    wanted = dotted(spec)
    keys = [key for key in wanted if not key.startswith("seeds.")]
    near: dict[int, list[float]] = {}
    for timing in timings:
        values = dotted(timing.spec)
        if any(values[key] != wanted[key] for key in ("method", "dataset", "training.mode")):
            continue
        epochs = spec.training.epochs / max(1, timing.spec.training.epochs)
        distance = sum(values.get(key) != wanted[key] for key in keys)
        near.setdefault(distance, []).append(timing.other + timing.training * epochs)
    nearest = near[min(near)] if near else []
    return sum(nearest) / len(nearest) if nearest else None


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
