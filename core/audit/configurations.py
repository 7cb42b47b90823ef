"""Every part that a method can be put together from, one value at a time, and the widths of real backbones.

What is fine by default may leak with another pooling, or only where features are wide.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from core.audit.noise_features import SMALL, WIDE
from core.audit.quick import quick
from core.audit.subject import Subject
from core.audit.verdict import Verdict
from core.axes import ANY, NOTHING, Declared, Only, fields_in
from core.errors import BenchError
from core.method import MethodConfig
from core.plugin_errors import PluginError

STEPS = 5
"""Training steps of a configuration."""
WIDE_STEPS = 2
"""Of a wide one."""


def variants(config: type[MethodConfig]) -> Iterator[dict[str, Any]]:
    """Settings with one value of one field beside the defaults, and what that field needs to have an effect.

    Fields that list their values, switches, and numbers whose default switches a part off.
    """
    fields = fields_in("", config)
    for declared in fields:
        for value in values(declared, config()):
            for settings in with_companions(declared, value, fields):
                try:
                    config(**settings)
                except (ValidationError, ValueError):
                    continue  # the method does not allow it
                yield settings
                break


def values(declared: Declared, default: MethodConfig) -> list[Any]:
    """The values of a field that are not its default."""
    now = getattr(default, declared.name)
    if isinstance(now, bool):
        return [not now]
    if declared.kinds:
        if isinstance(now, tuple):
            return [(kind,) for kind in declared.kinds if (kind,) != now]
        return [kind for kind in declared.kinds if kind != now]
    if isinstance(now, (int, float)) and now == 0:
        return [type(now)(1), 0.5] if isinstance(now, float) else [1]
    return []


def with_companions(declared: Declared, value: Any, fields: Sequence[Declared]) -> Iterator[dict[str, Any]]:
    """The setting alone where it has an effect by itself, else beside each part that gives it one."""
    only = [mark for mark in declared.marks if isinstance(mark, Only) and not mark.needs]
    own = {declared.name: value}
    defaults = {field.name: field.info.default for field in fields}
    if all(mark.met(defaults, lambda _: True) for mark in only):
        yield own
        return
    kinds_of = {field.name: field.kinds for field in fields}
    for mark in only:
        for part, kinds in mark.parts.items():
            named = (
                [kind for kind in kinds_of.get(part, ()) if kind not in NOTHING] if kinds == (ANY,) else kinds
            )
            yield from ({part: kind, **own} for kind in named)


def configurations(subject: Subject) -> Iterator[Verdict]:
    """What fails in a configuration, and a line that counts them; each as far as its first failure."""
    subjects = [
        subject.of_shape(SMALL, settings={**subject.settings, **settings}, steps=STEPS)
        for settings in variants(subject.method.Config)
        if not settings.keys() & subject.settings.keys()
    ]
    subjects = [one for one in subjects if allowed(one)]
    wide = subject.of_shape(WIDE, steps=WIDE_STEPS)
    failed = 0
    for one in (*subjects, wide):
        found = next((v for v in quick(one) if v.verdict == "fail"), None)
        if found:
            failed += 1
            yield replace(found, check=f"{found.check} [{label(one)}]")
    figure = f"{len(subjects)} configurations, one value of a part at a time, and {WIDE}: {failed} fail"
    meaning = (
        "Other parts and other widths pass as the defaults do." if not failed else "Not every part passes."
    )
    yield subject.verdict("configurations", "fail" if failed else "pass", figure, meaning)


def allowed(subject: Subject) -> bool:
    """Whether a method takes the settings together: neither its configuration nor its parts refuse them.

    Raises `PluginError` where it breaks down on them instead.
    """
    try:
        subject.untrained()
    except PluginError:
        raise
    except BenchError:
        return False
    return True


def label(subject: Subject) -> str:
    """The settings, or the shape where all are defaults."""
    return " ".join(f"{key}={value}" for key, value in subject.settings.items()) or str(subject.shape)
