"""Every key of `--set`: its type, values, default, what the authors released, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from core.axes import Declared, Only, Released, declared, sided
from core.datasets import registered_datasets
from core.method import Method
from core.registry import find_method, registered_methods
from core.spec import NESTED, RunSpec

MADE = ("method", "dataset", "config", "data")
"""What makes a cell, and the parts whose keys are listed one by one."""


@dataclass(frozen=True)
class Key:
    """A key as it is listed."""

    key: str
    type: str
    values: tuple[str, ...]
    """The values that exist, or that have a name; empty for numbers and free text."""
    default: Any
    released: Any
    """What the authors' code has; None where it has the same, or nothing was released."""
    differs: bool
    """Whether `released` says something."""
    datasets: Mapping[str, Mapping[str, Any]]
    """Data set -> `default` and `released`, where the authors set another value on it."""
    only: str
    """With what it has an effect; empty: always."""
    axis: str
    """The option of `bench run` that sweeps it; empty where only --set does."""
    about: str
    """The field's docstring."""


def keys_of(method: str) -> list[Key]:
    """The keys of a method, those of all data sets included.

    Raises `BenchError` for an unknown method. Defaults are those before a data set has a say.
    """
    cls = find_method(method)
    fields = declared({"": RunSpec, **NESTED, "config": cls.Config})
    own = [listed_key(field, cls) for key, field in fields.items() if key not in MADE]
    return own + data_keys(cls)


def data_keys(cls: type[Method]) -> list[Key]:
    """The keys of the data sets, each once; what only some data sets have names them."""
    options: dict[str, dict[str, Declared]] = {}
    for entry in registered_datasets().values():
        for key, field in declared({"data": entry.options}).items():
            options.setdefault(key, {})[entry.name] = field
    found: list[Key] = []
    for own_fields in options.values():
        own = listed_key(next(iter(own_fields.values())), cls)
        everywhere = len(own_fields) == len(registered_datasets())
        found.append(own if everywhere else replace(own, only=f"data set {' or '.join(own_fields)}"))
    return found


def listed_key(field: Declared, cls: type[Method]) -> Key:
    """A field as it is listed for a method."""
    default = default_of(field)
    ours, theirs = sided(cls.recipe), sided(cls.recipe, released=True)
    mark = field.mark(Released)
    value = ours.get(field.key, default)
    released = theirs.get(field.key, mark.value if mark else default)
    differs = released != value
    return Key(
        field.key,
        type_in_words(field.info.annotation),
        tuple(map(str, field.choices)),
        as_json_value(value),
        as_json_value(released) if differs else None,
        differs,
        on_datasets(field.key, cls),
        condition(field),
        field.axis_name.replace("_", "-") if field.axis else "",
        field.about,
    )


def on_datasets(key: str, cls: type[Method]) -> dict[str, dict[str, Any]]:
    """What a method's authors set a key to on single data sets: our value and theirs."""
    ours, theirs = sided(cls.recipe), sided(cls.recipe, released=True)
    return {
        name.removeprefix(f"{key}@"): {
            "default": as_json_value(ours[name]),
            "released": as_json_value(theirs[name]),
        }
        for name in ours
        if name.startswith(f"{key}@")
    }


def default_of(field: Declared) -> Any:
    """The default of a field, as JSON has it."""
    default = field.info.get_default(call_default_factory=True, validated_data={})
    return default.model_dump(mode="json") if isinstance(default, BaseModel) else default


def as_json_value(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def condition(field: Declared) -> str:
    """With what a field has an effect, e.g. `fusion=sample|frame|token`; empty: always."""
    words = []
    for only in (mark for mark in field.marks if isinstance(mark, Only)):
        parts = [f"{part}={'|'.join(map(str, kinds))}" for part, kinds in only.parts.items()]
        words.append(" or ".join(parts) if parts else f"methods that read {only.needs.replace('_', ' ')}")
    return " and ".join(words)


def type_in_words(annotation: Any) -> str:
    """A type as users say it.

    >>> type_in_words(int | None), type_in_words(tuple[str, ...]), type_in_words(Annotated[float, 1])
    ('int or null', 'list of str', 'float')
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_in_words(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(type_in_words, arguments)))
    if origin in (tuple, list):
        return f"list of {type_in_words(arguments[0])}"
    if annotation is NoneType:
        return "null"
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return "mapping"
    if origin is not None:
        return "name"  # of a Literal
    return str(getattr(annotation, "__name__", annotation)) if not is_model(annotation) else "int"


def is_model(annotation: Any) -> bool:
    """Whether a type is one of the spec's parts; the seeds are set by one number."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def all_keys() -> dict[str, list[Key]]:
    """The keys of every method by its name."""
    return {name: keys_of(name) for name in sorted(registered_methods())}
