"""What a command would run: every cell, and what of it is finished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.axes import Declared
from core.datasets import dataset_fingerprint, split_names
from core.resolving import fields_of, resolve
from core.running.axes import axes_of, idle_keys, reads
from core.running.code import code_fingerprint
from core.running.estimates import Timing
from core.running.needed_splits import require_splits
from core.runs import find_runs, hardware
from core.spec import RECIPE, SCHEMA, RunSpec, dotted


@dataclass
class PastRuns:
    """What the run folder tells about cells."""

    finished: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Canonical spec and fingerprint of the data -> fingerprints of the code that has finished the cell."""
    unfinished: dict[str, str] = field(default_factory=dict)
    """Canonical spec -> state."""
    timings: list[Timing] = field(default_factory=list)
    """What cells took that were finished on a machine like this one."""
    data: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """Data set and its options -> fingerprint, of those that were asked for: reading one may take seconds."""

    def state(self, spec: RunSpec) -> str:
        """The state of a cell on the present data: `to do` where it has none, `no data` where that is.

        `other code` where it is finished, and the code was edited since.
        """
        key = spec.data_key()
        if key not in self.data:
            self.data[key] = dataset_fingerprint(spec.dataset, spec.data)
        if (data := self.data[key]) is None:
            return "no data"
        canonical = spec.canonical()
        codes = self.finished.get((canonical, data), set())
        if codes and code_fingerprint(spec) in codes:
            return "done"
        return self.unfinished.get(canonical) or ("other code" if codes else "to do")


def require_known_splits(specs: Sequence[RunSpec]) -> None:
    """Raises `BenchError` for the first cell whose data set is known to lack a split that it reads."""
    known = {spec.data_key(): spec for spec in specs}
    splits = {key: split_names(spec.dataset, spec.data) for key, spec in known.items()}
    for spec in specs:
        if (present := splits[spec.data_key()]) is not None:
            require_splits(spec, present)


def read_past_runs(root: Path) -> PastRuns:
    """The cells under `root`; raises `BenchError` naming a damaged one."""
    past, here = PastRuns(), hardware()
    for directory in find_runs(root):
        status = directory.status()
        if status.get("schema") != SCHEMA:
            continue  # a cell of another version is none of these
        manifest: Mapping[str, Any] = directory.read_json("manifest.json") if directory.is_done() else {}
        spec = directory.read_spec()
        if not manifest:
            past.unfinished[spec.canonical()] = str(status.get("state"))
        else:
            prints = manifest.get("fingerprints", {})
            codes = past.finished.setdefault((spec.canonical(), str(prints.get("dataset"))), set())
            codes.add(prints.get("code", ""))
            if not alike(manifest.get("hardware") or {}, here):
                continue
            training = float(manifest["train_seconds"])
            scoring = float(manifest["index_seconds"]) + float(manifest["query_seconds"])
            # The wall time of a continued cell that an earlier version ran is that of its last session.
            other = max(float(manifest.get("wall_seconds", 0)) - training, scoring)
            past.timings.append(Timing(spec, training, other))
    return past


def alike(there: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether two machines are alike, as far as a manifest tells, so that times there tell of times here."""
    return all(there.get(key, here[key]) == here[key] for key in ("processor", "cores", "gpu"))


def own_settings(spec: RunSpec) -> str:
    """What of a cell differs from its method's defaults on the data set and has no column of its own.

    >>> own_settings(resolve("gaid", "avworld", {"config.alpha": 0.25, "training.epochs": 12}))
    'alpha=0.25 training.epochs=12'
    """
    default = dotted(resolve(spec.method, spec.dataset, {"recipe": spec.recipe})) | {"recipe": RECIPE}
    shown = {axis.key for axis in axes_of(spec.method, spec.dataset).values() if column_of(axis)}
    return " ".join(
        f"{key.removeprefix('config.')}={value}"
        for key, value in dotted(spec).items()
        if not {key, key.partition(".")[0]} & shown and value != default[key]
    )


def recipe_differences(spec: RunSpec) -> list[tuple[str, Any, Any]]:
    """The keys in which the authors' recipe differs from ours for a cell: key, our value, theirs.

    Those that have no effect in the cell are left out.
    """
    ours, authors = (
        dotted(resolve(spec.method, spec.dataset, {"recipe": recipe})) for recipe in ("ours", "authors")
    )
    idle = idle_keys(spec, authors)
    return [
        (key, ours[key], value)
        for key, value in authors.items()
        if value != ours[key] and key != "recipe" and key not in idle
    ]


def column_of(field: Declared) -> str | None:
    """The column of an axis; None where it has none."""
    return field.axis.column if field.axis else None


def columns(specs: Sequence[RunSpec]) -> list[str]:
    """The columns of the axes of some cells, in the order in which the fields stand."""
    fields = [field for spec in specs for field in fields_of(spec.method, spec.dataset).values()]
    return list(dict.fromkeys(column for field in fields if (column := column_of(field))))


def row(spec: RunSpec, names: Sequence[str]) -> list[str]:
    """A cell's values in some columns: a dash where it has no such axis, or the axis no effect."""
    values, reading = dotted(spec), reads(spec)
    shown = {}
    for axis in fields_of(spec.method, spec.dataset).values():
        if (column := column_of(axis)) and not axis.idle(values, reading):
            own = [value for key, value in values.items() if axis.key in (key, key.partition(".")[0])]
            shown[column] = "/".join(dict.fromkeys(map(str, own)))
    return [shown.get(name, "–") for name in names]
