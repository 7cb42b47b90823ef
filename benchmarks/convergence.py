"""Whether methods have converged: what doubling their training changes on the validation split.

    bench run --methods gaid,xpool --datasets avworld --seeds 0-2 --set training.epochs=24,48 --runs DIR
    python -m benchmarks.convergence DIR

prints a row per method and settings, n and 2n; the exit code is 1 where one changes by more than two points.
With `--write` the reports know it from then on (`reports/convergence.csv`): they mark what has not converged.
The rule is the same for all methods and looks at the validation split alone.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Annotated

import typer
from rich.table import Table

from core.cli.shell import console, one_line_errors
from core.errors import BenchError
from core.spec import RunSpec
from reports.collect import Run, read_runs
from reports.convergence import Doubling, trained_data, training_settings, write_doublings
from reports.labels import settings_line

Lengths = dict[int, dict[int, Run]]
"""Epochs -> seed -> run."""


def by_length(runs: list[Run]) -> dict[str, Lengths]:
    """The runs of each training by epochs and seed; raises `BenchError` where two agree in all of it."""
    found: defaultdict[str, Lengths] = defaultdict(lambda: defaultdict(dict))
    for run in runs:
        spec = run.spec
        seeds = found[training_name(spec)][spec.training.epochs]
        if spec.seeds.initialisation in seeds:
            other = seeds[spec.seeds.initialisation].name
            raise BenchError(f"{run.name} and {other} differ in something that a training does not depend on")
        seeds[spec.seeds.initialisation] = run
    return found


def training_name(spec: RunSpec) -> str:
    """Method, data set, what trains and what else of the training is not the default."""
    settings = settings_line(training_settings(spec))
    return ", ".join([spec.method, trained_data(spec), spec.training.mode, *([settings] if settings else [])])


def recall(run: Run) -> float:
    """R@1 in percent on the validation split after the last epoch.

    Not of the epoch that was chosen: the best of several looks grows with their number, and so with the
    length. Raises `BenchError` where nobody looked after the last epoch.
    """
    looks = {look.epoch: look.recall_at_1 for look in run.epochs}
    last = run.spec.training.epochs
    if last not in looks:
        raise BenchError(
            f"{run.name} was not validated after epoch {last}, its last; "
            "choose a training.validate_every that divides training.epochs"
        )
    return looks[last]


def doubled(lengths: Lengths) -> Iterator[tuple[Doubling, list[Run], list[Run]]]:
    """Each length that was doubled, with its runs and the longer ones, over the seeds that have both."""
    for epochs in sorted(lengths):
        seeds = sorted(lengths[epochs].keys() & lengths.get(2 * epochs, {}).keys())
        if not seeds:
            continue
        short, long = ([lengths[n][seed] for seed in seeds] for n in (epochs, 2 * epochs))
        spec = short[0].spec
        found = Doubling(
            dataset=trained_data(spec),
            method=spec.method,
            mode=spec.training.mode,
            settings=settings_line(training_settings(spec)),
            epochs=epochs,
            seeds=len(seeds),
            at_n=round(mean(map(recall, short)), 2),
            at_2n=round(mean(map(recall, long)), 2),
        )
        yield found, short, long


def cells(found: Doubling, short: list[Run], long: list[Run]) -> list[str]:
    """A row of the table."""
    name = found.method + (f" ({found.settings})" if found.settings else "")
    words = [name, f"{found.epochs}", str(found.seeds)]
    for side in (short, long):
        values = list(map(recall, side))
        words += [
            f"{mean(values):.1f} ({min(values):.1f} to {max(values):.1f})",
            f"{mean(run.manifest.train_seconds for run in side):.0f}",
        ]
    return [*words, f"{found.change:+.1f}"]


@one_line_errors
def main(
    runs: Annotated[Path, typer.Argument(help="Folder of finished runs.")],
    write: Annotated[bool, typer.Option("--write", help="Keep the figures for reports.")] = False,
) -> None:
    """Print what doubling the training of each method changes.

    Example: python -m benchmarks.convergence runs
    """
    kept, notes = read_runs(runs)
    for note in notes:
        console.print(note, markup=False)
    table = Table("method", "n", "seeds", "val R@1 at n", "s", "at 2n", "s", "change")
    measured = []
    for _, lengths in sorted(by_length(kept).items()):
        for found, short, long in doubled(lengths):
            table.add_row(*cells(found, short, long))
            measured.append(found)
    if not measured:
        raise BenchError(f"{runs} has no method that was trained for some epochs and for twice as many")
    console.print(table)
    if write:
        write_doublings(measured)
    if not all(found.converged for found in measured):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
