"""Whether methods have converged: what doubling their training changes on the validation split.

    bench run --methods gaid,xpool --datasets avworld --seeds 0-2 --set training.epochs=24,48 --runs DIR
    python -m benchmarks.convergence DIR

prints a row per method, n and 2n; the exit code is 1 where one changes by more than `TOLERANCE` points.
The rule is the same for all methods and looks at the validation split alone.
"""

from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Annotated

import typer
from rich.table import Table

from core.cli.shell import console, friendly
from core.errors import BenchError
from reports.collect import Run, read_runs

TOLERANCE = 2.0
"""Points of R@1 by which twice the training changes a converged method at most, as a mean over seeds."""

Lengths = dict[int, dict[int, Run]]
"""Epochs -> seed -> run."""


def by_length(runs: list[Run]) -> dict[str, Lengths]:
    """The runs of each method by epochs and seed; raises `BenchError` where two have all three in common."""
    found: defaultdict[str, Lengths] = defaultdict(lambda: defaultdict(dict))
    for run in runs:
        spec = run.spec
        seeds = found[spec.method][spec.training.epochs]
        if spec.seeds.initialisation in seeds:
            other = seeds[spec.seeds.initialisation].name
            raise BenchError(f"{run.name} and {other} differ in more than method, epochs and seed")
        seeds[spec.seeds.initialisation] = run
    return found


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


def rows(method: str, lengths: Lengths) -> list[tuple[list[str], float]]:
    """A row for each length that was doubled, with the change in points, over the seeds that have both."""
    found = []
    for epochs in sorted(lengths):
        seeds = sorted(lengths[epochs].keys() & lengths.get(2 * epochs, {}).keys())
        if not seeds:
            continue
        short, long = ([lengths[n][seed] for seed in seeds] for n in (epochs, 2 * epochs))
        change = mean(map(recall, long)) - mean(map(recall, short))
        cells = [method, f"{epochs}", str(len(seeds))]
        for side in (short, long):
            values = list(map(recall, side))
            cells += [
                f"{mean(values):.1f} ({min(values):.1f} to {max(values):.1f})",
                f"{mean(run.manifest.train_seconds for run in side):.0f}",
            ]
        found.append(([*cells, f"{change:+.1f}"], change))
    return found


@friendly
def main(runs: Annotated[Path, typer.Argument(help="Folder of finished runs.")]) -> None:
    """Print what doubling the training of each method changes.

    Example: python -m benchmarks.convergence runs
    """
    kept, notes = read_runs(runs)
    for note in notes:
        console.print(note, markup=False)
    table = Table("method", "n", "seeds", "val R@1 at n", "s", "at 2n", "s", "change")
    changes = []
    for method, lengths in sorted(by_length(kept).items()):
        for cells, change in rows(method, lengths):
            table.add_row(*cells)
            changes.append(change)
    if not changes:
        raise BenchError(f"{runs} has no method that was trained for some epochs and for twice as many")
    console.print(table)
    if any(abs(change) > TOLERANCE for change in changes):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
