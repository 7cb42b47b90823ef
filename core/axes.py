"""What a field of a configuration declares to the engine, in its annotation; nothing else repeats it.

    fusion: Annotated[FusionKind, Axis(column="fusion", absent="none")] = "none"
    alpha: Annotated[float, Only(perturbation="dasp")] = 0.5
    loss_weights: Annotated[LossWeights, Released("positive-cosine-released")] = "uniform"

A field that a subclass states again keeps the declarations of its base, unless it declares its own. Neither
this module nor what it is used on imports torch, so that a help text can list every axis at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, runtime_checkable

from pydantic import BaseModel
from pydantic.fields import FieldInfo

AnyMark = TypeVar("AnyMark")

ANY = "any"
"""In `Only`: any kind of a part but `none`, any number but 0."""
NOTHING = (None, "none", 0, False)
"""The values that `ANY` leaves out."""


@dataclass(frozen=True)
class Axis:
    """The field is an axis: an option of `bench run` with several values, and a key of experiment files."""

    name: str = ""
    """What the axis is called, `_` for `-` in the option; empty: as the field is."""
    column: str | None = None
    """Its column in the table of cells; None: it has none and is listed with the other settings."""
    absent: Any = None
    """The default by which a method says that it does not have this part at all."""
    values: Callable[[], Sequence[str]] | None = field(default=None, compare=False)
    """The names that exist, for a field whose type does not list them."""


@dataclass(frozen=True, init=False)
class Only:
    """The field has an effect only with another part; several of these must all be met.

    `Only(fusion=ANY, enrichment="case")`: with any fusion, or with that enrichment. The names are those of
    fields beside this one. `Only(needs="sound")`: for methods that read it under their configuration.
    """

    needs: str
    """What the method must read (`Needs` of a method); empty: no matter."""
    parts: Mapping[str, tuple[str, ...]] = field(hash=False)
    """Field -> its kinds with which this field has an effect; one of the fields is enough."""

    def __init__(self, needs: str = "", **parts: str | tuple[str, ...]) -> None:
        object.__setattr__(self, "needs", needs)
        kinds = {part: (found,) if isinstance(found, str) else found for part, found in parts.items()}
        object.__setattr__(self, "parts", kinds)

    def met(self, beside: Mapping[str, Any], reads: Callable[[str], bool]) -> bool:
        """Whether a field has an effect, by the values of the fields beside it and what the method reads."""
        if self.needs:
            return reads(self.needs)
        return any(
            beside.get(part) not in NOTHING if kinds == (ANY,) else beside.get(part) in kinds
            for part, kinds in self.parts.items()
        )


@dataclass(frozen=True)
class Released:
    """The value that the authors' released code has, where ours differs. A method may state its own."""

    value: Any


@dataclass(frozen=True)
class Ours:
    """In a method's recipe: our value of a key, beside the one that the authors released."""

    value: Any
    released: Any


def sided(recipe: Mapping[str, object], *, released: bool = False) -> dict[str, object]:
    """A recipe with one of the two values where it names both.

    >>> sided({"training.epochs": Ours(5, released=8), "frames": 12}, released=True)
    {'training.epochs': 8, 'frames': 12}
    """
    return {
        key: value if not isinstance(value, Ours) else value.released if released else value.value
        for key, value in recipe.items()
    }


@dataclass(frozen=True)
class SmallWorld:
    """The value on a data set that is made for small models (`DatasetEntry.small`)."""

    value: Any


@dataclass(frozen=True)
class InProtocol:
    """The field is part of the protocol that every result carries, under this name."""

    name: str


@dataclass(frozen=True)
class ScoringNoise:
    """The field says by which law noise is drawn in leak-free scoring (`core.scoring.names.NoiseMode`)."""


@runtime_checkable
class Listed(Protocol):
    """An annotation that knows the names which the field takes, such as the kinds of a part."""

    def listed(self) -> tuple[str, ...]:
        """The names, found without importing torch."""
        ...


@dataclass(frozen=True)
class Declared:
    """A field of a configuration with what it declares."""

    key: str
    """Dotted key of the spec."""
    info: FieldInfo
    """Pydantic's record: type and default."""
    marks: tuple[Any, ...]
    """What the field declares, nearest class first."""
    about: str
    """Its docstring, of the nearest class that gives it one."""

    def mark(self, kind: type[AnyMark]) -> AnyMark | None:
        """The nearest declaration of a kind; None where there is none."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)

    @property
    def axis(self) -> Axis | None:
        """What makes it an axis; None where it is none."""
        return self.mark(Axis)

    @property
    def name(self) -> str:
        """The field's name without its part."""
        return self.key.rpartition(".")[2]

    @property
    def axis_name(self) -> str:
        """What the axis is called."""
        return (self.axis.name if self.axis else "") or self.name

    def idle(self, values: Mapping[str, Any], reads: Callable[[str], bool]) -> str:
        """Why it has no effect in a cell, e.g. `with perturbation=dasp` or `without sound`; else empty.

        `values` are the cell's by dotted key; `reads` says whether its method reads `sound` and the like.
        """
        part = self.key.rpartition(".")[0]
        prefix = f"{part}." if part else ""
        beside = {key[len(prefix) :]: value for key, value in values.items() if key.startswith(prefix)}
        unmet = [only for only in self.marks if isinstance(only, Only) and not only.met(beside, reads)]
        chosen = [f"{name}={beside.get(name)}" for only in unmet for name in only.parts]
        unread = [f"without {only.needs.replace('_', ' ')}" for only in unmet if only.needs]
        return " ".join([f"with {', '.join(dict.fromkeys(chosen))}"] * bool(chosen) + unread)

    def lacks_part(self, default: Any) -> bool:
        """Whether this default value says that the method does not have the part at all."""
        return self.axis is not None and self.axis.absent is not None and default == self.axis.absent

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The only values that exist, where the type lists them."""
        registered = next((mark.listed() for mark in self.info.metadata if isinstance(mark, Listed)), ())
        return registered or literals(self.info.annotation)

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values that exist, or those that have a name."""
        return tuple(self.axis.values()) if self.axis and self.axis.values else self.kinds


def literals(annotation: Any) -> tuple[Any, ...]:
    """The values of a `Literal`, or of a sequence or union of some; empty for other types.

    >>> literals(tuple[Literal["a", "b"], ...] | None)
    ('a', 'b')
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return arguments
    if origin is Annotated:
        return literals(arguments[0])
    if origin in (tuple, list, Union, UnionType):
        return tuple(dict.fromkeys(value for argument in arguments for value in literals(argument)))
    return ()


def declared(models: Mapping[str, type[BaseModel]]) -> dict[str, Declared]:
    """Every field by its dotted key. `models`: part -> its model; the spec's own is the part ``""``."""
    fields = [field for part, model in models.items() for field in fields_in(part, model)]
    return {field.key: field for field in fields if field.key not in models or field.axis}


@cache
def fields_in(part: str, model: type[BaseModel]) -> tuple[Declared, ...]:
    """The fields of one part."""
    prefix = f"{part}." if part else ""
    return tuple(
        Declared(prefix + name, info, tuple(marks(model, name)), docstring(model, name))
        for name, info in model.model_fields.items()
    )


def marks(model: type[BaseModel], name: str) -> Iterator[Any]:
    """What a field declares: of each kind what the nearest class says, the model itself first."""
    seen: set[type] = set()
    for cls in model.__mro__:
        own = cls.model_fields.get(name) if issubclass(cls, BaseModel) else None
        kinds = (Axis, Only, Released, SmallWorld, InProtocol, ScoringNoise)
        found = [mark for mark in (own.metadata if own else ()) if isinstance(mark, kinds)]
        yield from (mark for mark in found if type(mark) not in seen)
        seen |= {type(mark) for mark in found}


def docstring(model: type[BaseModel], name: str) -> str:
    """The docstring of a field in one line, of the nearest class that has one."""
    classes = [cls for cls in model.__mro__ if issubclass(cls, BaseModel) and name in cls.model_fields]
    found = (cls.model_fields[name].description for cls in classes)
    return " ".join(next((text for text in found if text), "").split())


def marked_values(fields: Mapping[str, Declared], kind: type[Released] | type[SmallWorld]) -> dict[str, Any]:
    """The value that each field declares for a mark of some kind, by dotted key."""
    found = {key: field.mark(kind) for key, field in fields.items()}
    return {key: mark.value for key, mark in found.items() if mark is not None}


def has_part(config: type[BaseModel], axis: str) -> bool:
    """Whether a configuration has an axis of that name whose default does not say that the part is absent."""
    fields = [field for field in fields_in("", config) if field.axis and field.axis_name == axis]
    return any(not field.lacks_part(field.info.default) for field in fields)


def marked(config: BaseModel, kind: type[Any], default: Any) -> Any:
    """The value of the field of a configuration that declares a mark of some kind; `default` without one."""
    fields = declared({"": type(config)}).values()
    return next((getattr(config, f.name) for f in fields if f.mark(kind)), default)
