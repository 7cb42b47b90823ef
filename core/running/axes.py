"""The axes of a cell: which its method has, and which keys have no effect in it. Fields declare both."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from core.axes import Declared, declared
from core.errors import BenchError, unknown_name
from core.refused import refusal
from core.registry import find_method, registered_methods
from core.resolving import fields_of
from core.running.probing import probe_method
from core.spec import NESTED, RunSpec, Seeds, dotted


def all_axes() -> dict[str, list[Declared]]:
    """Every axis by name, with the fields that the spec and the methods declare for it."""
    found: dict[str, dict[int, Declared]] = {}
    for method in registered_methods().values():
        for field in declared({"": RunSpec, **NESTED, "config": method.Config}).values():
            if field.axis:
                found.setdefault(field.axis_name, {})[id(field.info)] = field
    return {name: list(fields.values()) for name, fields in found.items()}


def whole_numbers() -> set[str]:
    """The keys that take whole numbers, and so ranges of them, whatever the method."""
    return {
        field.key
        for method in registered_methods().values()
        for field in declared({"": RunSpec, **NESTED, "config": method.Config}).values()
        if field.info.annotation in (int, Seeds)
    }


def whole_axes() -> set[str]:
    """The names of the axes that take whole numbers."""
    return {
        name
        for name, fields in all_axes().items()
        if any(field.info.annotation in (int, Seeds) for field in fields)
    }


def check_value(axis: str, fields: Sequence[Declared], value: Any) -> None:
    """Raises `BenchError` for a value that no field of an axis takes."""
    errors = []
    for field in fields:
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(
                Annotated[field.info.annotation, field, *field.info.metadata]  # type: ignore[arg-type]
            )
            adapter.validate_python(value)
        except ValidationError as error:
            errors.append(error)
    if len(errors) == len(fields):
        choices = dict.fromkeys(str(kind) for field in fields for kind in field.kinds)
        if choices:
            raise unknown_name(axis.replace("_", " "), str(value), choices)
        option = f"--{axis.replace('_', '-')}"
        raise BenchError(refusal(errors[0], lambda _: option))


def axes_of(method: str, dataset: str) -> dict[str, Declared]:
    """The axes that a method's configuration and the spec declare, by name; two of them make the cell."""
    fields = fields_of(method, dataset).values()
    return {
        field.axis_name: field for field in fields if field.axis and field.key not in ("method", "dataset")
    }


def has_axis(field: Declared, default: RunSpec, cell: RunSpec) -> bool:
    """Whether a method has the part that an axis varies.

    `default` is the method's own configuration, in which the part must not be absent, and `cell` the one in
    which the axis must have an effect.
    """
    absent = field.lacks_part(dotted(default).get(field.key))
    return not absent and not field.idle(dotted(cell), reads(cell))


def idle_keys(cell: RunSpec, keys: Iterable[str]) -> dict[str, str]:
    """Those of the keys that have no effect in a cell, each with the reason."""
    fields, values, reading = fields_of(cell.method, cell.dataset), dotted(cell), reads(cell)
    reasons = {key: fields[key].idle(values, reading) for key in keys if key in fields}
    return {key: reason for key, reason in reasons.items() if reason}


def reads(cell: RunSpec) -> Callable[[str], bool]:
    """Whether the cell's method reads `sound`, `patches` and the like under its configuration."""
    return lambda need: (
        need in needs_of(cell.method, json.dumps(dict(cell.config)), cell.frames, cell.text_tokens)
    )


@lru_cache(maxsize=1024)
def needs_of(method: str, config: str, frames: int, text_tokens: int) -> frozenset[str]:
    """What a method says that it reads under a configuration, given as JSON."""
    spec = RunSpec(
        method=method, dataset="", config=json.loads(config), frames=frames, text_tokens=text_tokens
    )
    built = probe_method(spec)
    answers = {
        "sound": built.needs.sound,
        "patches": built.needs.patches,
        "words": built.needs.words,
        "video_captions": built.needs.video_captions,
        "speech": built.needs.speech,
        "teacher": built.needs.teacher,
    }
    return frozenset(need for need, answer in answers.items() if answer)


def axis_names(method: str) -> list[str]:
    """The axes that a method has as it is, by name."""
    cls = find_method(method)
    config = cls.Config().model_dump(mode="json")
    cell = RunSpec(method=method, dataset="", config=config)
    fields = declared({"": RunSpec, **NESTED, "config": cls.Config}).values()
    return [
        field.axis_name
        for field in fields
        if field.axis and field.key not in ("method", "dataset") and has_axis(field, cell, cell)
    ]
