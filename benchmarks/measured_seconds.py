"""What cells take, measured: the table from which `bench run --dry-run` estimates before anything has run.

    python -m benchmarks.measured_seconds RUNS [RUNS ...]

reads the finished cells under some folders and writes `measured_seconds.csv`, a row per method, data set and
settings, seeds aside. The fastest cell of a row counts, and no row that took longer than one of the same
method which trained for more epochs: other work on the machine only ever adds.
Settings that a table of estimates should know are run first, e.g. `bench run avworld-methods --runs RUNS`.
"""

import csv
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from core.assignments import assignment
from core.cli.shell import console, one_line_errors
from core.errors import BenchError
from core.paths import written_whole
from core.run_files import Manifest, read_manifest
from core.running.estimates import MEASURED_COLUMNS, MEASURED_FILE
from core.runs import find_runs
from core.spec import RunSpec, dotted
from reports.labels import defaults


def settings_of(spec: RunSpec) -> str:
    """What differs from the method's defaults, seeds left out, as `key=value` separated by semicolons."""
    default = defaults(spec.method, spec.dataset, spec.recipe)
    changed = {key: value for key, value in dotted(spec).items() if default.get(key) != value}
    return ";".join(assignment(key, value) for key, value in changed.items() if not key.startswith("seeds."))


def machine_of(manifest: Manifest) -> str:
    """Processor, cores and GPU of a run."""
    found = manifest.hardware or {}
    return f"{found.get('processor')}, {found.get('cores')} cores, {found.get('gpu') or 'no GPU'}"


def rows_of(folders: Iterable[Path]) -> list[dict[str, str]]:
    """The fastest finished cell of each method, data set and settings under some folders, as rows."""
    fastest: dict[tuple[str, str, str], tuple[float, dict[str, str]]] = {}
    epochs: dict[tuple[str, str, str], int] = {}
    for directory in (run for folder in folders for run in find_runs(folder)):
        if not directory.is_done():
            continue
        spec, manifest = directory.read_spec(), read_manifest(directory)
        if manifest.wall_seconds is None:
            continue
        key = (spec.method, spec.dataset, settings_of(spec))
        other = max(manifest.wall_seconds - manifest.train_seconds, manifest.index_seconds)
        figures = (f"{manifest.train_seconds:.1f}", f"{other:.1f}")
        values = (*key, *figures, machine_of(manifest), manifest.started[:10])
        found = (manifest.train_seconds + other, dict(zip(MEASURED_COLUMNS, values, strict=True)))
        fastest[key] = min(fastest.get(key, found), found, key=lambda timed: timed[0])
        epochs[key] = spec.training.epochs
    disturbed = {
        key
        for key, longer in product(fastest, repeat=2)
        if key[:2] == longer[:2] and epochs[key] < epochs[longer] and fastest[key][0] > fastest[longer][0]
    }
    return [row for key, (_, row) in sorted(fastest.items()) if key not in disturbed]


@one_line_errors
def main(runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")]) -> None:
    """Write the table of what cells take.

    Example: python -m benchmarks.measured_seconds runs
    """
    rows = rows_of(runs)
    if not rows:
        raise BenchError(f"no finished run under {', '.join(map(str, runs))}; run `bench run` first")
    with written_whole(MEASURED_FILE) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, MEASURED_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        console.print(" ".join(row.values()), markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
