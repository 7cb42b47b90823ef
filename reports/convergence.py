"""Which methods have converged where: what twice the training changed when it was measured.

`convergence.csv` holds what `python -m benchmarks.convergence DIR --write` measured, a row per data set,
method and length of training. A row of a report that would gain from more training is marked, and no
difference from it is called significant: another length would give another order.
"""

import csv
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from core.errors import BenchError
from core.spec import Frozen, explain
from reports.collect import Run

CONVERGED_WITHIN = 2.0
"""Points of R@1 by which twice the training changes a converged method at most, as a mean over seeds."""
LEARNING_MARK = " (~)"
"""Behind the label of a row that has not converged."""
MEASURED = Path(__file__).with_name("convergence.csv")


class Doubling(Frozen):
    """What twice the training of a method changes: R@1 in percent on `val` after the last epoch."""

    dataset: str
    method: str
    mode: str
    """What trains: `training.mode`."""
    epochs: int = Field(ge=1)
    seeds: int = Field(ge=1)
    """How many of them the means are over."""
    at_n: float = Field(ge=0, le=100)
    at_2n: float = Field(ge=0, le=100)

    @property
    def change(self) -> float:
        """Points of R@1."""
        return self.at_2n - self.at_n

    @property
    def converged(self) -> bool:
        """Whether it changes little enough, to the decimal that is printed."""
        return round(abs(self.change), 1) <= CONVERGED_WITHIN

    def concerns(self, run: Run) -> bool:
        """Whether a run trained by the same recipe, as long, or shorter where more training changed much."""
        spec = run.spec
        recipe = (spec.dataset, spec.method, spec.training.mode) == (self.dataset, self.method, self.mode)
        length = spec.training.epochs
        return recipe and (length == self.epochs or (length < self.epochs and not self.converged))


@cache
def doublings(path: Path = MEASURED) -> Sequence[Doubling]:
    """What was measured; raises `BenchError` with file and line for a row that cannot be."""
    with path.open(encoding="utf-8", newline="") as lines:
        found = []
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                found.append(Doubling.model_validate(row))
            except ValidationError as error:
                raise BenchError(f"{path}, line {number}: {explain(error)}") from error
    return tuple(found)


def write_doublings(found: Iterable[Doubling], path: Path = MEASURED) -> None:
    """Adds what was measured, in place of older figures of the same training."""
    kept = {training_of(row): row for row in [*doublings(path), *found]}
    rows = [row.model_dump() for _, row in sorted(kept.items())]
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(Doubling.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    doublings.cache_clear()


def training_of(row: Doubling) -> tuple[str, str, str, int]:
    """What tells one row of the file from every other."""
    return row.dataset, row.method, row.mode, row.epochs


def learning(run: Run) -> Doubling | None:
    """The measurement by which a run has not converged, if any."""
    return next((row for row in doublings() if not row.converged and row.concerns(run)), None)


def learning_mark(run: Run) -> str:
    """The mark, where more training changes R@1."""
    return LEARNING_MARK if learning(run) else ""


def convergence_notes(runs: Sequence[Run]) -> list[str]:
    """What the mark means, with what was measured of each training that it concerns."""
    found = {row: None for run in runs if (row := learning(run))}
    return [
        f"{LEARNING_MARK.strip()}: not converged, so no difference from this row is called significant. "
        f"{row.dataset}, {row.method}: {2 * row.epochs} epochs instead of {row.epochs} change R@1 on the "
        f"validation split by {row.change:+.1f} points (seeds: {row.seeds})."
        for row in found
    ]
