"""Which published rows answer to which runs, and whether both were measured under one protocol.

A row answers to the runs of the same method and configuration, in the same direction and with the same
rescoring. All else (data set, backbone, frames, selection, ...) is protocol: it may differ, and is then
named.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from core.assignments import parse_assignment
from core.errors import BenchError
from core.evaluation.tie_policies import TiePolicy
from core.resolving import resolve
from core.spec import RunSpec
from reports.published import PublishedRow, published, released_protocol
from reports.results import SeededRows

POST_PROCESSING = {"none": "none", "dsl": "DSL", "qb-norm": "QB-Norm"}


@dataclass(frozen=True)
class Match:
    """A published row beside what was measured."""

    row: PublishedRow
    measured: SeededRows
    differs: Mapping[str, tuple[object, object]]
    """Points of the protocol that differ -> published and measured value."""
    unstated: Sequence[str]
    """Points that the source does not state."""

    @property
    def verdict(self) -> str:
        """`matches` where every point does; else field by field what differs and what is not stated."""
        unstated = f"not stated: {', '.join(self.unstated)}" if self.unstated else ""
        if not self.differs:
            return f"partly; {unstated}" if unstated else "matches"
        points = [f"{point} {theirs} (here {ours})" for point, (theirs, ours) in self.differs.items()]
        return "; ".join(part for part in (f"differs: {', '.join(points)}", unstated) if part)


def plain_name(name: str) -> str:
    """A name without what papers and folders spell differently."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def matches_of(measured: SeededRows) -> list[Match]:
    """The published rows beside one measurement: those of its data set.

    Released scores are compared only with rows that were scored so.
    """
    found = []
    for row in published():
        same_data = plain_name(row.dataset) == plain_name(measured.run.spec.dataset)
        condition = condition_of(row)
        scored_so = measured.protocol.condition == "leak-free" or condition == "released"
        if same_data and scored_so and answers_to(row, measured):
            found.append(Match(row, measured, *protocol_differences(row, measured)))
    return found


def answers_to(row: PublishedRow, measured: SeededRows) -> bool:
    """Whether a row prints figures of a measurement's method, configuration, direction and rescoring."""
    spec = measured.run.spec
    return (
        row.run_method == spec.method
        and row.r1 is not None
        and row.direction == measured.protocol.direction
        and row.post_processing == POST_PROCESSING[measured.protocol.rescoring]
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


def condition_of(row: PublishedRow) -> str | None:
    """The scoring condition of a published row, None where it is not known."""
    released = released_protocol(row.run_method, row.dataset)
    return row.condition or (released.condition if released else None)


def protocol_differences(
    row: PublishedRow, measured: SeededRows
) -> tuple[dict[str, tuple[object, object]], list[str]]:
    """Points of the protocol in which a row and a measurement differ, and points that are not stated."""
    spec, manifest = measured.run.spec, measured.run.manifest
    released = released_protocol(row.run_method, row.dataset)
    asked = measured.answers.entry.protocol
    theirs: Mapping[str, object] = {
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
        "gallery": asked.gallery,
        "training videos": manifest.training_videos,
        "backbone": spec.backbone,
        "frames": spec.frames,
        "text length": manifest.text_length,
        "selection": spec.training.selection,
        "condition": measured.protocol.condition,
        "tie policy": tie_policy(row),
    }
    differs = {p: (theirs[p], ours[p]) for p in theirs if theirs[p] is not None and theirs[p] != ours[p]}
    return differs, [point for point in theirs if theirs[point] is None]


def tie_policy(row: PublishedRow) -> TiePolicy:
    """The tie policy of a published row, `expected` where it is not known."""
    released = released_protocol(row.run_method, row.dataset)
    return released.tie_policy if released else "expected"
