"""Every part that a method can be put together from, one value at a time, and the widths of real backbones.

What is fine by default may leak with another pooling, or only where features are wide.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from core.audit.noise_features import MIDDLE, SMALL, WIDE, Shape
from core.audit.quick import quick
from core.audit.subject import Subject
from core.audit.verdict import Verdict
from core.axes import ANY, NOTHING, Declared, Only, fields_in
from core.errors import BenchError
from core.method import MethodConfig
from core.plugin_errors import PluginError

PRACTICE_STEPS, PRACTICE_FURTHER = 2, 2
"""Training steps of a configuration, and further ones; the second has what a zero hides from the first."""
WIDTHS: Sequence[tuple[Shape, int]] = ((WIDE, 1), (MIDDLE, 2))
"""Shapes of real backbones, and training steps of each."""


def variants(config: type[MethodConfig]) -> Iterator[dict[str, Any]]:
    """Settings with one value of one field beside the defaults, and what that field needs to have an effect.

    Fields that list their values, switches, and numbers.
    """
    fields, defaults = fields_in("", config), config()
    kinds = {field.name: field.kinds for field in fields}
    for declared in fields:
        for value in other_values(getattr(defaults, declared.name), kinds[declared.name]):
            for settings in with_companions(declared, value, defaults, kinds):
                if takes(config, settings):
                    yield settings
                    break


def other_values(default: Any, kinds: Sequence[Any]) -> list[Any]:
    """The values of a field that are not its default; of a number 0 and one beside it."""
    if isinstance(default, bool):
        return [not default]
    if kinds:
        single = [(kind,) for kind in kinds] if isinstance(default, tuple) else list(kinds)
        return [kind for kind in single if kind != default]
    if isinstance(default, int):
        return [default + 1] if default < 2 else [default - 1]
    if isinstance(default, float):
        return [default / 2] if default else [1.0, 0.5]
    return []


def numeric_fields(config: type[MethodConfig]) -> Mapping[str, int | float]:
    """The fields that are numbers, with their defaults."""
    defaults, kinds = config(), {field.name: field.kinds for field in fields_in("", config)}
    return {
        name: default
        for name in kinds
        if isinstance(default := getattr(defaults, name), int | float)
        and not isinstance(default, bool)
        and not kinds[name]
    }


def raised_numbers(config: type[MethodConfig]) -> Mapping[str, int | float]:
    """Every number that has an effect by default: one more, or twice as much."""
    defaults, own, found = config(), numeric_fields(config), {}
    for declared in fields_in("", config):
        if declared.name not in own:
            continue
        number = own[declared.name]
        more = number + 1 if isinstance(number, int) else 2 * number or 1.0
        for settings in with_companions(declared, more, defaults, {}):
            found.update(settings if takes(config, settings) else {})
    return found


def takes(config: type[MethodConfig], settings: Mapping[str, Any]) -> bool:
    """Whether a configuration allows the settings."""
    try:
        config(**settings)
    except (ValidationError, ValueError):
        return False
    return True


def with_companions(
    declared: Declared, value: Any, defaults: MethodConfig, kinds: Mapping[str, Sequence[Any]]
) -> Iterator[dict[str, Any]]:
    """The setting alone where it has an effect by itself, else beside each part that gives it one.

    A number has its default beside other parts: what it is in them is of no consequence to a leak.
    """
    only = [mark for mark in declared.marks if isinstance(mark, Only) and not mark.needs]
    own = {declared.name: value}
    if all(mark.met(dict(defaults), lambda _: True) for mark in only):
        yield own
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        return
    for mark in only:
        for part, wanted in mark.parts.items():
            named = [kind for kind in kinds.get(part, ()) if kind not in NOTHING]
            yield from ({part: kind, **own} for kind in (named if wanted == (ANY,) else wanted))


@dataclass(frozen=True)
class Configuration:
    """A method as it is configured otherwise."""

    subject: Subject
    moved: Mapping[str, Any] = field(default_factory=dict)
    """Numbers that are moved together, beside the subject's settings."""

    def tried(self) -> tuple[bool, Verdict | None]:
        """Whether the method takes it, and what then fails first.

        Of numbers as many are moved together as it takes together. Raises `PluginError` where the method
        breaks down on settings that it would have to take.
        """
        if not self.moved:
            return (True, failure(self.subject)) if allowed(self.subject) else (False, None)
        whole = self.of(self.moved)
        with suppress(PluginError):  # numbers of which each is fine may not fit each other
            if allowed(whole):
                found = failure(whole)
                return True, self.alone() or found if found else None
        if len(self.moved) < 2:
            return False, None
        numbers = list(self.moved.items())
        halves = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
        found_in = [replace(self, moved=dict(half)).tried() for half in halves]
        return any(taken for taken, _ in found_in), next((found for _, found in found_in if found), None)

    def of(self, numbers: Mapping[str, Any]) -> Subject:
        """The method with some of the numbers."""
        return replace(self.subject, settings={**numbers, **self.subject.settings})

    def alone(self) -> Verdict | None:
        """What fails with one of the numbers by itself, which says more than all together."""
        for number in self.moved.items():
            with suppress(PluginError):
                if allowed(one := self.of(dict([number]))) and (found := failure(one)):
                    return found
        return None


def other_configurations(subject: Subject) -> list[Configuration]:
    """The method in every width of `WIDTHS`, with every value of every part, and with all numbers moved."""
    config = subject.method.Config
    with subject.blamed("Config"):
        found = [one for one in variants(config) if not one.keys() & subject.settings.keys()]
        own, raised = numeric_fields(config), raised_numbers(config)
    lowered = {name: value for one in found if one.keys() <= own.keys() for name, value in one.items()}
    together = [
        {name: value for name, value in moved.items() if name not in subject.settings}
        for moved in (lowered, raised)
    ]
    wide = [subject.of_shape(shape, steps=steps) for shape, steps in WIDTHS]
    small = subject.of_shape(SMALL, steps=PRACTICE_STEPS, further=PRACTICE_FURTHER)
    return [
        *map(Configuration, wide),
        *(Configuration(replace(small, settings={**subject.settings, **one})) for one in found),
        *(Configuration(small, moved) for moved in together if moved),
    ]


def counted_configurations(subject: Subject, found: Sequence[Verdict | None]) -> Verdict:
    """The line that counts configurations, by what has failed in each of them."""
    failed = sum(verdict is not None for verdict in found)
    widths = ", ".join(map(str, sorted([SMALL.width, *(shape.width for shape, _ in WIDTHS)])))
    tried = f"{len(found)} configurations, one value at a time and numbers together, widths {widths}"
    figure = f"{tried}: {failed} fail"
    meaning = (
        "Other parts and other widths pass as the defaults do." if not failed else "Not every part passes."
    )
    return subject.verdict("configurations", "fail" if failed else "pass", figure, meaning)


def allowed(subject: Subject) -> bool:
    """Whether a method takes the settings together: neither its configuration nor its parts refuse them.

    A part may find out only when it first trains. Raises `PluginError` where it breaks down on them instead.
    """
    try:
        subject.practice  # noqa: B018  its steps are kept for the checks
    except PluginError:
        raise
    except BenchError:
        return False
    return True


def failure(subject: Subject) -> Verdict | None:
    """The first failure, named with the settings; what the engine refuses in settings that train is one."""
    try:
        found = quick(subject)
    except PluginError:
        raise
    except BenchError as error:
        meaning = "The bench refuses to score it like this."
        found = subject.verdict("contract", "fail", str(error), meaning)
    return replace(found, check=f"{found.check} [{configuration_label(subject)}]") if found else None


def configuration_label(subject: Subject) -> str:
    """The settings, or the shape where all are defaults."""
    return " ".join(f"{key}={value}" for key, value in subject.settings.items()) or str(subject.shape)
