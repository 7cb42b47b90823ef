"""Which published rows answer to which runs, and whether both were measured under one protocol.

A row answers to the runs of the same method and configuration, in the same direction and with the same
rescoring. All else (data set, backbone, frames, selection, ...) is protocol: it may differ, and is then
named.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from core.assignments import parse_assignment
from core.errors import BenchError
from core.spec import RunSpec, resolve
from reports.collect import Run
from reports.published import Published, published, released_protocol
from reports.queries import RECALL

FOLLOWS_FROM_DATA = ("gallery", "training videos")
"""Points that say nothing further where the data set is another one."""

POST_PROCESSING = {"none": "none", "dsl": "DSL", "qb-norm": "QB-Norm"}


@dataclass(frozen=True)
class Measured:
    """One configuration under one protocol and direction, over its seeds."""

    label: str
    data: str
    run: Run
    """One of the runs; the others differ from it in their seeds only."""
    rows: pd.DataFrame
    """Their rows of `frame_of`."""

    def protocol(self, name: str) -> str:
        """A field of the protocol that its rows share."""
        return str(self.rows[name].iloc[0])

    def recall(self, policy: str) -> list[float]:
        """R@1, R@5 and R@10 in points under a tie policy, means over the seeds."""
        records = self.rows["metrics"]
        return [float(records.map(lambda r, m=m: r[policy][m]).mean()) for m in RECALL]


@dataclass(frozen=True)
class Match:
    """A published row beside what was measured."""

    row: Published
    measured: Measured
    differs: Mapping[str, tuple[object, object]]
    """Points of the protocol that differ -> published and measured value."""
    unstated: Sequence[str]
    """Points that the source does not state."""

    @property
    def same_data(self) -> bool:
        """Whether both speak of one data set."""
        return plain(self.row.dataset) == plain(self.measured.run.spec.dataset)

    @property
    def verdict(self) -> str:
        """Whether the protocol matches, and in which point not."""
        unstated = f"not stated: {', '.join(self.unstated)}" if self.unstated else ""
        if not self.differs:
            return f"as far as stated; {unstated}" if unstated else "yes"
        points = [f"{point} {theirs} (here {ours})" for point, (theirs, ours) in self.differs.items()]
        return "; ".join(part for part in (f"no: {', '.join(points)}", unstated) if part)


def plain(name: str) -> str:
    """A name without what papers and folders spell differently."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def configurations(frame: pd.DataFrame, runs: Sequence[Run]) -> Iterator[Measured]:
    """Every configuration on every gallery under every protocol and direction."""
    by_name = {run.directory.path.name: run for run in runs}
    keys = ["data", "label", "direction", "rescoring", "condition"]
    for (data, name, *_), rows in frame.groupby(keys, sort=False):
        yield Measured(str(name), str(data), by_name[rows["run"].iloc[0]], rows)


def matches_of(measured: Measured) -> list[Match]:
    """The published rows beside one measurement: all of its data set, else the one with nearest protocol.

    Released scores stand only beside rows that were scored so.
    """
    found = []
    for row in published():
        if answers_to(row, measured):
            condition = condition_of(row)
            if measured.protocol("condition") == "leak-free" or condition == "released":
                found.append(Match(row, measured, *compared(row, measured)))
    same = [match for match in found if match.same_data]
    if same or not found:
        return same
    nearest = min(found, key=lambda match: (len(match.differs) + len(match.unstated), match.row.r5 is None))
    scored_so = measured.protocol("condition") == (condition_of(nearest.row) or "leak-free")
    return [nearest] if scored_so else []


def answers_to(row: Published, measured: Measured) -> bool:
    """Whether a row prints figures of a measurement's method, configuration, direction and rescoring."""
    spec = measured.run.spec
    return (
        row.run_method == spec.method
        and row.r1 is not None
        and row.direction == measured.protocol("direction")
        and row.post_processing == POST_PROCESSING[measured.protocol("rescoring")]
        and configured(row.run_method, spec.dataset, row.run_settings) == configuration(spec)
    )


@cache
def configured(method: str, dataset: str, settings: str) -> tuple[str, str] | None:
    """The configuration that a row asks for on a data set; None where the method cannot be told so."""
    given = dict(parse_assignment(text) for text in settings.split(";") if text)
    try:
        return configuration(resolve(method, dataset, given))
    except BenchError:
        return None


def configuration(spec: RunSpec) -> tuple[str, str]:
    """What makes a method the one that it is; everything else is protocol."""
    return str(sorted(spec.config.items())), spec.audio_encoder


def condition_of(row: Published) -> str | None:
    """The scoring condition of a published row, None where it is not known."""
    released = released_protocol(row.run_method, row.dataset)
    return row.condition or (released.condition if released else None)


def compared(row: Published, measured: Measured) -> tuple[dict[str, tuple[object, object]], list[str]]:
    """Points of the protocol in which a row and a measurement differ, and points that are not stated."""
    spec, manifest = measured.run.spec, measured.run.manifest
    released = released_protocol(row.run_method, row.dataset)
    same_data = plain(row.dataset) == plain(spec.dataset)
    theirs: Mapping[str, object] = {
        "data set": spec.dataset if same_data else row.dataset,
        "gallery": row.gallery,
        "training videos": row.training_videos,
        "backbone": (found := re.search(r"ViT-[BLH]/\d+", row.backbone)) and found[0].replace("/", "-"),
        "frames": released and released.frames,
        "text length": released and released.text_length,
        "selection": released and released.selection,
        "condition": condition_of(row),
        "tie policy": released and released.tie_policy,
    }
    ours: Mapping[str, object] = {
        "data set": spec.dataset,
        "gallery": int(measured.rows["gallery"].iloc[0]),
        "training videos": manifest["training_videos"],
        "backbone": spec.backbone,
        "frames": spec.frames,
        "text length": manifest["text_length"],
        "selection": spec.training.selection,
        "condition": measured.protocol("condition"),
        "tie policy": tie_policy(row),
    }
    points = [point for point in theirs if same_data or point not in FOLLOWS_FROM_DATA]
    differs = {p: (theirs[p], ours[p]) for p in points if theirs[p] is not None and theirs[p] != ours[p]}
    return differs, [point for point in points if theirs[point] is None]


def tie_policy(row: Published) -> str:
    """The tie policy of a published row, `expected` where it is not known."""
    released = released_protocol(row.run_method, row.dataset)
    return released.tie_policy if released else "expected"
