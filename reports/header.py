"""What a report begins with: title, date, commit, protocol, and what its tables may be used for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.datasets import find_dataset
from reports.collect import Run
from reports.convergence import unmeasured_notes
from reports.provenance import commit_of, hardware_in_words
from reports.results import Results

TITLE = "Text-video retrieval with sound"

FEW_SEEDS = 3
"""Seeds from which on the luck of training is in the intervals."""


@dataclass(frozen=True)
class Header:
    """The head of a report."""

    title: str
    made: str
    """When the runs were made, and by which code."""
    protocols: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    """Data set -> name and value of each point of its protocol."""
    use: Sequence[str]
    """What the tables may and may not be used for, in sentences."""


POINTS: Sequence[tuple[str, Callable[[Run], str]]] = (
    ("condition", lambda run: ", ".join(run.spec.evaluation.conditions)),
    ("checkpoint chosen by", lambda run: run.spec.training.selection),
    ("epochs", lambda run: str(run.spec.training.epochs)),
    ("training", lambda run: f"{run.spec.training.mode}, batches of {run.spec.training.batch_size}"),
    ("backbone", lambda run: run.spec.backbone),
    ("pictures", lambda run: f"{run.spec.frames} frames, {run.spec.frame_sampling}"),
    ("sound", lambda run: run.spec.audio_encoder),
    ("text tokens", lambda run: str(run.spec.text_tokens)),
    ("hardware", hardware_in_words),
)
"""What a run says of its protocol; runs that differ are told apart."""

CLIPS = "clips "
"""With what the points begin that name clips in a state, e.g. `clips silent`."""
DATA_POINTS = ("missing", "captions cut", "pictures kept")
"""What its data says of clips that are left out, of captions that are not read whole, and of what pictures
lost when they were stored."""

NOTHING_TO_SAY = ("", "none", "fail")
"""What such a point says where there is nothing to say; `fail`: no video may be missing, and none is."""


def header_of(results: Results) -> Header:
    """The head of the report on some runs, at least one."""
    started = sorted(run.manifest.started[:10] for run in results.runs)
    days = started[0] if started[0] == started[-1] else f"{started[0]} to {started[-1]}"
    commits = ", ".join(dict.fromkeys(commit_of(run)[:12] + dirty(run) for run in results.runs))
    datasets = dict.fromkeys(run.spec.dataset for run in results.runs)
    return Header(
        TITLE,
        f"Runs of {days}, commit {commits}.",
        [(name, protocol_of(name, results)) for name in datasets],
        use_of(results),
    )


def dirty(run: Run) -> str:
    """Whether the code had changes of its own, as a suffix of a shortened commit."""
    return " (with changes)" if run.manifest.commit and run.manifest.commit.dirty else ""


def protocol_of(dataset: str, results: Results) -> list[tuple[str, str]]:
    """The protocol of a data set point by point."""
    runs = [run for run in results.runs if run.spec.dataset == dataset]
    sizes = dict.fromkeys(
        f"{row.data.removeprefix(f'{dataset}/')} ({asked.queries:,} queries, {asked.gallery:,} videos)"
        for row in results.select(direction="t2v", rescoring="none")
        if row.run.spec.dataset == dataset
        for asked in [row.answers.entry.protocol]
    )
    points = [("splits", ", ".join(sizes))]
    points += [(name, told_apart(runs, value)) for name, value in POINTS]
    points += [(name, told_apart(runs, partial(data_point, name=name))) for name in data_points(runs)]
    seeds = dict.fromkeys(str(run.spec.seeds.initialisation) for run in runs)
    return [*points, ("seeds", ", ".join(seeds))]


def data_point(run: Run, name: str) -> str:
    """What a run's protocol says of its data under a name; empty where it says nothing."""
    return str(data_protocol(run).get(name, ""))


def data_protocol(run: Run) -> Mapping[str, Any]:
    """What a run's protocol says of its data."""
    for answers in run.answers.values():
        data = (answers.entry.protocol.model_extra or {}).get("data")
        return data if isinstance(data, Mapping) else {}
    return {}


def data_points(runs: Sequence[Run]) -> list[str]:
    """What some run has to say of clips that are left out or wrong, and of captions that are cut."""
    named = dict.fromkeys(key for run in runs for key in data_protocol(run) if key.startswith(CLIPS))
    first, *others = DATA_POINTS
    points = (first, *named, *others)
    return [name for name in points if any(data_point(run, name) not in NOTHING_TO_SAY for run in runs)]


def told_apart(runs: Sequence[Run], value: Callable[[Run], str]) -> str:
    """A point of the protocol: one value, or each value with the rows that have it."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        found.setdefault(value(run), {})[run.label] = None
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{text or 'none'} ({', '.join(labels)})" for text, labels in found.items())


def use_of(results: Results) -> list[str]:
    """What the tables may and may not be used for."""
    sentences = [
        "The tables compare these configurations as trained here, on the same queries; they may not be used "
        "to rank methods under other training, data or backbones."
    ]
    generated = [n for n in dict.fromkeys(r.spec.dataset for r in results.runs) if find_dataset(n).has_truth]
    if generated:
        sentences.append(
            f"{', '.join(generated)} is generated: it shows what a mechanism does where the truth is known, "
            "and says nothing about figures on real videos."
        )
    cells = results.cells(rescoring="none", direction="t2v")
    if any(len(cell.rows) < FEW_SEEDS for cell in cells):
        sentences.append(
            f"Rows of fewer than {FEW_SEEDS} seeds: their intervals and letters are over queries and leave "
            "out the luck of one training."
        )
    sentences += unmeasured_notes(results.runs)
    if any(row.protocol.condition == "released" for row in results.rows):
        sentences.append(
            "Released figures know which caption a video was stored with; they may be compared with "
            "published figures, not with leak-free ones."
        )
    return sentences
