"""Which published rows answer to which runs, and whether both were measured under one protocol.

A row answers to the runs of the same method and configuration, in the same direction and with the same
rescoring. All else (split, backbone, frames, epochs, selection, ...) is protocol: it may differ, and is then
named. What a row of the authors does not print is that of their released code, as `protocols.csv` and the
recipe `authors` have it; of other people's trainings it is not known.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from core.assignments import parse_assignment
from core.errors import BenchError
from core.evaluation.tie_policies import TiePolicy
from core.resolving import fields_of, resolve
from core.running.axes import reads
from core.spec import RunSpec, dotted
from reports.header import data_point
from reports.labels import short
from reports.published import PublishedRow, published, released_protocol
from reports.results import SeededRows

POST_PROCESSING = {"none": "none", "dsl": "DSL", "qb-norm": "QB-Norm"}


TEST_SET = re.compile(r"\btest (\dk-A)\b|\b(test|val1)\b")
"""What a published `split` scores: a test set that has a name, or a split."""
OTHERS_TRAININGS = ("reproduction", "another paper", "claim")
"""Evidence that does not come with the released code's settings."""
UNSTATED_SPLIT = "not specified"
NAMED_SETS = {"1k-A": 1000}
"""How many queries a test set has by its name; the sources print videos, if anything."""
NO_SOUND = "none"
AS_THEY_ARE = "as they are"
RECIPE_POINTS = {
    "frame sampling": "frame_sampling",
    "resize": "data.resize",
    "epochs": "training.epochs",
    "captions": "training.captions",
    "batch size": "training.batch_size",
    "tie tolerance": "evaluation.tie_tolerance",
}
"""Point of the protocol -> the key that the released code's recipe has for it."""
POINTS_AND_COSTS = {
    *RECIPE_POINTS.values(),
    *("method", "dataset", "trained_on", "recipe", "checkpoint", "backbone", "audio_encoder", "frames"),
    *("text_tokens", "data.holdout", "training.selection"),
    *(f"evaluation.{name}" for name in ("splits", "conditions", "rescoring", "audio", "picture")),
    *("evaluation.distractors", "evaluation.engine", "evaluation.memory_budget"),
    *(f"training.{name}" for name in ("validate_every", "save_minutes", "threads", "micro_batch", "compile")),
    *("training.activation_checkpointing", "training.channels_last"),
}
"""Keys that are none of the `other settings`: points of their own, and what changes no figure."""


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
        """`matches` where every point is stated and the same; else what differs and what is not stated."""
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
        and configured(row.run_method, spec.dataset, row.run_settings, spec.recipe) == configuration(spec)
    )


@cache
def configured(method: str, dataset: str, settings: str, recipe: str) -> tuple[str, str] | None:
    """The configuration that a row asks for under a recipe; None where the method cannot be told so."""
    given = dict(parse_assignment(text) for text in settings.split(";") if text)
    try:
        return configuration(resolve(method, dataset, {"recipe": recipe, **given}))
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
    theirs, ours = stated_points(row, measured.run.spec), measured_points(row, measured)
    differs = {p: (theirs[p], ours[p]) for p in theirs if theirs[p] is not None and theirs[p] != ours[p]}
    return differs, [point for point in theirs if theirs[point] is None]


def stated_points(row: PublishedRow, spec: RunSpec) -> dict[str, object]:
    """The protocol of a row, beside a run's data set; None for a point that nothing states."""
    released, recipe = released_protocol(row.run_method, row.dataset), authors_recipe(row, spec.dataset)
    released = None if row.evidence in OTHERS_TRAININGS else released
    of_an_epoch = row.table if row.table.startswith("epoch ") else None
    test_set = scored_split(row)
    return {
        "split": test_set,
        "queries": NAMED_SETS.get(test_set or ""),
        "gallery": row.gallery,
        "training videos": row.training_videos,
        "backbone": backbone_of(row),
        "sound": sound_of(row, recipe),
        "frames": released and released.frames,
        "text length": released and released.text_length,
        **{point: released and recipe[key] for point, key in RECIPE_POINTS.items()},
        "selection": of_an_epoch or (released and released.selection),
        "condition": condition_of(row) if released else row.condition,
        "tie policy": released and released.tie_policy,
        "scored clips": AS_THEY_ARE,
        "trained on": plain_name(row.dataset),
        "other settings": released and "as released",
    }


def measured_points(row: PublishedRow, measured: SeededRows) -> dict[str, object]:
    """The same points of a measurement."""
    run, spec, asked = measured.run, measured.run.spec, measured.answers.entry.protocol
    values, changed = as_trained(row, spec), changed_settings(row, measured)
    named = scored_split(row) in NAMED_SETS
    return {
        "split": (data_point(run, "test set") or asked.split) if named else asked.split,
        "queries": asked.queries,
        "gallery": asked.gallery,
        "training videos": run.manifest.training_videos,
        "backbone": spec.backbone,
        "sound": spec.audio_encoder if reads(spec)("sound") else NO_SOUND,
        "frames": spec.frames,
        "text length": run.manifest.text_length,
        **{point: values[key] for point, key in RECIPE_POINTS.items()},
        "selection": spec.training.selection,
        "condition": measured.protocol.condition,
        "tie policy": tie_policy(row),  # under which the figure is counted: see `against_published`
        "scored clips": scored_clips(spec),
        "trained on": plain_name(spec.trained_on or spec.dataset),
        "other settings": f"changed: {', '.join(changed)}" if changed else "as released",
    }


def as_trained(row: PublishedRow, spec: RunSpec) -> Mapping[str, object]:
    """A run's spec by dotted key; what only the authors have trained was trained as they did."""
    values = dotted(spec)
    if spec.checkpoint is None or spec.training.epochs:
        return values
    trained = {k: v for k, v in authors_recipe(row, spec.dataset).items() if k.startswith("training.")}
    return values | trained


def scored_split(row: PublishedRow) -> str | None:
    """The split or the named test set that a row was scored on; None where it is not stated."""
    found = None if UNSTATED_SPLIT in row.split else TEST_SET.search(row.split)
    return found and (found[1] or found[2])


def backbone_of(row: PublishedRow) -> str | None:
    """The towers of a row by our name; None where they are not stated, or guessed."""
    found = None if "guess" in row.backbone else re.search(r"ViT-[BLH]/\d+", row.backbone)
    return found and found[0].replace("/", "-")


def sound_of(row: PublishedRow, recipe: Mapping[str, object]) -> object:
    """The encoder of the sound that a row heard, `none` where it heard none; None where it is not stated."""
    if not row.modality:
        return None
    return recipe["audio_encoder"] if "A" in row.modality.split("+") else NO_SOUND


def scored_clips(spec: RunSpec) -> str:
    """What was done to the scored clips, and what joined them."""
    scored = spec.evaluation
    changes = [
        *([f"sound {scored.audio}"] if scored.audio != "as-is" else []),
        *([f"pictures {scored.picture}"] if scored.picture != "as-is" else []),
        *([f"with distractors of {scored.distractors}"] if scored.distractors else []),
    ]
    return ", ".join(changes) or AS_THEY_ARE


@cache
def released_recipe(method: str, dataset: str, settings: str) -> Mapping[str, object]:
    """What a method's released code does on a data set under some settings, as dotted keys."""
    given = dict(parse_assignment(text) for text in settings.split(";") if text)
    return dotted(resolve(method, dataset, {"recipe": "authors", **given}))


def authors_recipe(row: PublishedRow, dataset: str) -> Mapping[str, object]:
    """What the released code of a row's method does on our data set of its name."""
    return released_recipe(row.run_method, dataset, row.run_settings)


def changed_settings(row: PublishedRow, measured: SeededRows) -> list[str]:
    """The other keys in which a run differs from the released code; those that it does not use left out."""
    spec = measured.run.spec
    values, fields = as_trained(row, spec), fields_of(spec.method, spec.dataset)
    unused = ("seeds.",) if measured.protocol.rescoring == "qb-norm" else ("seeds.", "evaluation.qb_")
    return [
        short(key)
        for key, value in authors_recipe(row, spec.dataset).items()
        if values.get(key, value) != value
        and key not in POINTS_AND_COSTS
        and not key.startswith(unused)
        and not (key in fields and fields[key].idle(values, reads(spec)))
    ]


def tie_policy(row: PublishedRow) -> TiePolicy:
    """The tie policy of a published row, `expected` where it is not known."""
    released = released_protocol(row.run_method, row.dataset)
    return released.tie_policy if released else "expected"
