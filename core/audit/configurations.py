"""Every part that a method can be put together from, one value at a time, and the widths of real backbones.

What is fine by default may leak with another pooling, or only where features are wide.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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

PRACTICE_STEPS = 4
"""Training steps of a configuration."""
FEW_PAIRS = 8
"""Pairs of such a step."""
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
                try:
                    config(**settings)
                except (ValidationError, ValueError):
                    continue  # the method does not allow it
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


def other_configurations(subject: Subject) -> list[Subject]:
    """The method in every width of `WIDTHS`, and then with every value of every part."""
    with subject.blamed("Config"):
        settings = [
            one for one in variants(subject.method.Config) if not one.keys() & subject.settings.keys()
        ]
    wide = [subject.of_shape(shape, steps=steps, practice_pairs=FEW_PAIRS) for shape, steps in WIDTHS]
    small = subject.of_shape(SMALL, steps=PRACTICE_STEPS, practice_pairs=FEW_PAIRS)
    return wide + [replace(small, settings={**subject.settings, **one}) for one in settings]


def counted_configurations(subject: Subject, found: Sequence[Verdict | None]) -> Verdict:
    """The line that counts configurations, by what has failed in each of them."""
    failed = sum(verdict is not None for verdict in found)
    widths = ", ".join(map(str, sorted([SMALL.width, *(shape.width for shape, _ in WIDTHS)])))
    figure = f"{len(found)} configurations, one value of a part at a time, widths {widths}: {failed} fail"
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
