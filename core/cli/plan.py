"""What a dry run prints: every cell, what is finished, and how long the rest will take."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from core.cli.data_tables import state_of
from core.cli.render import WholeTable, print_table
from core.datasets import find_dataset
from core.progress import seconds_in_words
from core.running.estimates import CellEstimate, Timing, estimate_of, measured_on
from core.running.places import default_slots
from core.running.plan import (
    columns,
    own_settings,
    read_past_runs,
    recipe_differences,
    require_known_splits,
    row,
)
from core.running.untimed import reason, reasons
from core.spec import RunSpec
from reports.table import Table

MEASURED_MARK = "*"
MEASURED_NOTE = (
    f"{MEASURED_MARK}: no such cell has finished here yet, so this is from a table of measured cells "
    "(benchmarks/measured_seconds.csv: {}); data and features that are missing are prepared first and take "
    "longer"
)


def show(specs: Sequence[RunSpec], root: Path, workers: int | None, console: Console) -> None:
    """Prints the cells with state and estimate, the estimate of all that is left, and why some have none.

    Raises `BenchError` below that where a cell reads a split that its data set lacks.
    """
    past = read_past_runs(root)
    states = [past.state(spec) for spec in specs]
    left = [spec for spec, state in zip(specs, states, strict=True) if state != "done"]
    for table in recipe_tables(specs):
        console.print(table)
    print_table(cell_table(specs, states, past.timings), console)
    line = f"{len(specs)} {'cell' if len(specs) == 1 else 'cells'}, {len(specs) - len(left)} of them finished"
    if left:
        places = workers or default_slots(len(left))
        estimates = [estimate_of(spec, past.timings) for spec in left]
        line += f"; {len(left)} left with {places} at a time: {total_in_words(estimates, places)}"
    console.print(line)
    if left:
        untimed = [spec for spec, estimate in zip(left, estimates, strict=True) if estimate is None]
        for why in reasons(untimed, past.timings):
            console.print(why, markup=False, highlight=False)
    if left and any(estimate and measured_elsewhere(estimate) for estimate in estimates):
        console.print(MEASURED_NOTE.format(measured_on()), markup=False, highlight=False)
    absent = [spec.dataset for spec, state in zip(specs, states, strict=True) if state == "no data"]
    for name in dict.fromkeys(absent):
        remedy = state_of(find_dataset(name))
        console.print(f"{name} has no data on this machine yet: {remedy}", markup=False, highlight=False)
    require_known_splits(specs)


def records_of(specs: Sequence[RunSpec], root: Path) -> list[dict[str, object]]:
    """The cells as `bench run --dry-run --json` has them; raises for what `show` does."""
    require_known_splits(specs)
    past = read_past_runs(root)
    records: list[dict[str, object]] = []
    for spec in specs:
        state = past.state(spec)
        estimate = None if state == "done" else estimate_of(spec, past.timings)
        records.append(
            {
                "spec": spec.model_dump(mode="json"),
                "state": state,
                "seconds": estimate and estimate.seconds,
                "estimated_from": estimate and estimate.source,
                "unknown_because": None if estimate or state == "done" else reason(spec, past.timings),
            }
        )
    return records


def recipe_tables(specs: Sequence[RunSpec]) -> list[WholeTable]:
    """For each method under the authors' recipe the keys in which it differs from ours, with both values."""
    by_authors = [spec for spec in specs if spec.recipe == "authors"]
    first = {(spec.method, spec.dataset): spec for spec in reversed(by_authors)}
    tables = []
    for (method, dataset), spec in reversed(first.items()):
        table = WholeTable("key", "ours", "authors", title=f"{method} on {dataset}: recipe=authors")
        for key, ours, theirs in recipe_differences(spec):
            table.add_row(key, escape(str(ours)), escape(str(theirs)))
        tables.append(table)
    return tables


def cell_table(specs: Sequence[RunSpec], states: Sequence[str], timings: Sequence[Timing]) -> Table:
    """A row per cell: its parts, what else differs from the defaults, its state and an estimate."""
    names = columns(specs)
    rows = []
    for spec, state in zip(specs, states, strict=True):
        time = "" if state == "done" else time_in_words(estimate_of(spec, timings))
        rows.append([*row(spec, names), own_settings(spec), state, time])
    titles = [*names, "settings", "state", "time"]
    if not any(line[-3] for line in rows):
        titles.remove("settings")
        rows = [[*line[:-3], *line[-2:]] for line in rows]
    return Table("", titles, rows, words=range(len(titles)))


def time_in_words(estimate: CellEstimate | None) -> str:
    """An estimate as the table of cells shows it, with a mark where it was measured elsewhere."""
    if estimate is None:
        return "unknown"
    return seconds_in_words(estimate.seconds) + (f" {MEASURED_MARK}" if measured_elsewhere(estimate) else "")


def total_in_words(estimates: Sequence[CellEstimate | None], places: int) -> str:
    """How long some cells take, so many at a time, as far as it is known of each."""
    known = [estimate.seconds for estimate in estimates if estimate is not None]
    if not known:
        return "unknown"
    total = seconds_in_words(max(sum(known) / places, max(known)))
    unknown = len(estimates) - len(known)
    if not unknown:
        return f"about {total}"
    return f"at least {total}, plus {unknown} cell{'s' if unknown > 1 else ''} of unknown length"


def measured_elsewhere(estimate: CellEstimate) -> bool:
    """Whether no cell of this machine stands behind an estimate."""
    return estimate.source == "measured_seconds.csv"
