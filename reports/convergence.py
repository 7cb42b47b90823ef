"""Which methods have converged where: what twice the training changed when it was measured.

`convergence.csv` holds what `python -m benchmarks.convergence DIR --write` measured, a row per data set,
method, settings and length of training. They say from which length on a training is known to have converged.
A row of a report that was trained for less is marked, and no difference from it is called significant:
another length would give another order. A training of which nothing was measured has no mark.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from core.errors import BenchError
from core.registry import find_method
from core.spec import RECIPE, Frozen, RunSpec, dotted, explain
from reports.collect import Run
from reports.labels import LabelSettings, defaults, settings_line, short, text_of
from reports.table import amount

CONVERGED_WITHIN = 2.0
"""Points of R@1 by which twice the training changes a converged method at most, as a mean over seeds."""
LEARNING_MARK = " (~)"
"""Behind the label of a row that has not converged."""
MEASURED = Path(__file__).with_name("convergence.csv")
LOGIT_SCALE = 1
"""Parameters of the logit scale: where it alone trains (CLIP4Clip over frozen towers), the order of videos
stays as it is."""
SAME_TRAINING = {
    *("method", "dataset", "trained_on"),
    *(f"training.{name}" for name in ("mode", "epochs", "selection", "validate_every", "save_minutes")),
    *(f"training.{name}" for name in ("threads", "micro_batch", "activation_checkpointing", "channels_last")),
    "training.compile",
}
"""Keys that say which training it is, how long it is, or nothing that changes it."""
SCORING = ("evaluation.", "seeds.")
"""Parts of a spec that a training does not depend on, or of which the measurement is a mean."""
NAMED_ROWS = 3
"""Rows that a note names at most; of more it counts those of each method."""
MEASURE_NOTE = "Convergence was not measured (`python -m benchmarks.convergence RUNS --write` does) for"


class Doubling(Frozen):
    """What twice the training of a method changes: R@1 in percent on `val` after the last epoch."""

    dataset: str
    method: str
    mode: str
    """What trains: `training.mode`."""
    settings: str = ""
    """What else differs from the method's defaults on the data set and changes the training."""
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


def training_of(row: Doubling) -> tuple[str, str, str, str, int]:
    """What tells one row of the file from every other."""
    return row.dataset, row.method, row.mode, row.settings, row.epochs


def trained_data(spec: RunSpec) -> str:
    """The data set on which the weights of a run were trained."""
    return spec.trained_on or spec.dataset


def training_settings(spec: RunSpec) -> LabelSettings:
    """What differs from the method's defaults on the data set that trained it and changes the training.

    The length is no such thing, nor what only scoring reads.
    """
    default = defaults(spec.method, trained_data(spec), RECIPE)
    scored = (*SCORING, "data.") if spec.trained_on else SCORING  # then these are options of what is scored
    return {
        short(key): text_of(value)
        for key, value in dotted(spec).items()
        if default.get(key) != value and key not in SAME_TRAINING and not key.startswith(scored)
    }


def doublings_of(spec: RunSpec) -> list[Doubling]:
    """The lengths of a run's training that were doubled, shortest first."""
    key = trained_data(spec), spec.method, spec.training.mode
    alike = [row for row in doublings() if (row.dataset, row.method, row.mode) == key]
    if not alike:
        return []
    settings = settings_line(training_settings(spec))
    return sorted((row for row in alike if row.settings == settings), key=lambda row: row.epochs)


def shortest_converged(rows: Sequence[Doubling]) -> int | None:
    """The epochs from which on no measured doubling changes much; None where the longest one does.

    `rows` are of one training, shortest first.
    """
    found = None
    for row in reversed(rows):
        if not row.converged:
            break
        found = row.epochs
    return found


@dataclass(frozen=True)
class Learning:
    """Why a training is not known to have converged."""

    dataset: str
    method: str
    epochs: int
    own: Doubling | None
    """What twice this length changed, where that was too much."""
    shortest: int | None
    """The shortest length that is known to have converged."""
    longest: Doubling | None
    """The longest length that was doubled; None where none was, and nothing was trained."""

    @property
    def title(self) -> str:
        """The method's, for people."""
        return find_method(self.method).title


def trains(run: Run) -> bool:
    """Whether anything that can change the order of the videos trains here, for however many epochs."""
    given = run.manifest.trained_parameters
    authors = run.spec.checkpoint is not None and not run.spec.training.epochs
    return not authors and (given is None or given > LOGIT_SCALE)


def learning(run: Run) -> Learning | None:
    """Why a run is not known to have converged; None where it is, or nothing was measured of it."""
    spec, epochs = run.spec, run.spec.training.epochs
    if not trains(run):
        return None
    rows = doublings_of(spec)
    shortest = shortest_converged(rows)
    if (not rows and epochs) or (shortest is not None and epochs >= shortest):
        return None
    own = next((row for row in rows if row.epochs == epochs and not row.converged), None)
    longest = rows[-1] if rows else None
    return Learning(trained_data(spec), spec.method, epochs, own, shortest, longest)


def learning_mark(run: Run) -> str:
    """The mark, where more training is known or likely to change R@1."""
    return LEARNING_MARK if learning(run) else ""


def convergence_notes(runs: Sequence[Run]) -> list[str]:
    """What the mark means, and what was measured of each training that it concerns."""
    found = list(dict.fromkeys(reason for run in runs if (reason := learning(run))))
    if not found:
        return []
    meaning = "not converged, so no difference from such a row is called significant"
    return [f"{LEARNING_MARK.strip()}: {meaning}. {' '.join(reasons_in_words(found))}"]


def reasons_in_words(found: Sequence[Learning]) -> Iterator[str]:
    """For each data set and length what twice as many epochs changed, and what is known of other lengths."""
    own: dict[tuple[str, int], list[str]] = {}
    others: dict[tuple[str, int], list[Learning]] = {}
    for reason in found:
        key = reason.dataset, reason.epochs
        if row := reason.own:
            changed = f"{row.change:+.1f} points ({reason.title}, seeds: {row.seeds})"
            own.setdefault(key, []).append(changed)
        else:
            others.setdefault(key, []).append(reason)
    for (dataset, epochs), words in own.items():
        yield (
            f"{dataset}: {2 * epochs} epochs instead of {epochs} change R@1 on the validation split by "
            f"{', '.join(words)}."
        )
    for (dataset, epochs), reasons in others.items():
        yield f"{dataset}, trained for {amount(epochs, 'epoch')}: {'; '.join(known_lengths(reasons))}."


def known_lengths(reasons: Sequence[Learning]) -> Iterator[str]:
    """What is known of other lengths of some trainings of one length, the methods that share it together."""
    lengths: dict[int, dict[str, None]] = {}
    for reason in reasons:
        if reason.shortest is not None:
            lengths.setdefault(reason.shortest, {})[reason.title] = None
    if lengths:
        words = [f"{epochs} ({', '.join(titles)})" for epochs, titles in sorted(lengths.items())]
        yield f"the shortest length known to have converged is {', '.join(words)}"
    words = [
        f"{reason.title} {row.change:+.1f} points from {row.epochs} to {2 * row.epochs}"
        for reason in reasons
        if reason.shortest is None and (row := reason.longest)
    ]
    if words:
        yield (
            "no length is known to have converged, the longest that was doubled still changed R@1 on the "
            f"validation split ({', '.join(words)})"
        )
    untrained = dict.fromkeys(reason.title for reason in reasons if reason.longest is None)
    if untrained:
        yield f"nothing was trained ({', '.join(untrained)})"


def unmeasured_notes(runs: Sequence[Run]) -> list[str]:
    """One line: of which rows nothing was measured, and how to measure it; none where there is no such."""
    trained: dict[str, dict[str, Run]] = {}
    for run in runs:
        if trains(run):
            trained.setdefault(run.spec.dataset, {})[run.label] = run
    parts = []
    for dataset, rows in trained.items():
        left = {label: run for label, run in rows.items() if not doublings_of(run.spec) and not learning(run)}
        if left:
            parts.append(f"{dataset}: {rows_in_words(left, len(rows))}")
    return [f"{MEASURE_NOTE} {'; '.join(parts)}."] if parts else []


def rows_in_words(left: dict[str, Run], trained: int) -> str:
    """Rows by their labels, few of them; `trained` is how many rows of the data set train anything."""
    if len(left) == trained:
        return "every row that trains" if trained > 1 else "the row"
    if len(left) <= NAMED_ROWS:
        return ", ".join(left)
    titles = [find_method(run.spec.method).title for run in left.values()]
    return ", ".join(amount(titles.count(title), "row") + f" of {title}" for title in dict.fromkeys(titles))
