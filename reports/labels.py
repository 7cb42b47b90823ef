"""What the configurations of a report are called: the method, and what tells its rows from each other.

What every run changes in the same way is said once, under the table; settings that always come together stand
as one mark in the labels and are spelled out once. No two configurations get the same label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from core.registry import find_method
from core.resolving import resolve
from core.spec import RECIPE, RunSpec, dotted

MARKS = "†‡§¶"
"""For settings that always come together; further groups of them are spelled out in every label."""

LabelSettings = Mapping[str, str]
"""Dotted key, `config.` left out -> value, as they stand in a label."""


@dataclass(frozen=True)
class Labels:
    """The names of the configurations of one report."""

    everywhere: LabelSettings
    """What differs from the method's defaults in every run, and in the same way."""
    together: Mapping[str, LabelSettings]
    """Mark -> settings that stand behind it."""

    @classmethod
    def among(cls, specs: Sequence[RunSpec]) -> Self:
        """The names for the runs of one report, at least one."""
        rows = {f"{spec.dataset} {label(spec)}": label_settings(spec) for spec in specs}
        items = dict.fromkeys(item for one in rows.values() for item in one.items())
        everywhere = dict(item for item in items if all(item in one.items() for one in rows.values()))
        groups: dict[frozenset[str], dict[str, str]] = {}
        for key, text in items:
            if key not in everywhere:
                found = frozenset(row for row, one in rows.items() if one.get(key) == text)
                groups.setdefault(found, {})[key] = text
        bundles = [group for found, group in groups.items() if len(found) > 1 and len(group) > 1]
        return cls(everywhere, dict(zip(MARKS, bundles, strict=False)))

    def of(self, spec: RunSpec) -> str:
        """The label of one of the runs, seeds left out."""
        left = {key: text for key, text in label_settings(spec).items() if key not in self.everywhere}
        marks = [mark for mark, group in self.together.items() if group.items() <= left.items()]
        hidden = {key for mark in marks for key in self.together[mark]}
        return titled(spec, [*(f"{key}={text}" for key, text in left.items() if key not in hidden), *marks])

    @property
    def notes(self) -> list[str]:
        """What the labels leave out, a line each."""
        lines = [f"In every run: {settings_line(self.everywhere)}."] if self.everywhere else []
        return lines + [f"{mark}: {settings_line(group)}." for mark, group in self.together.items()]


def label(spec: RunSpec) -> str:
    """The method's title and all that differs from its defaults on this data set, seeds left out.

    >>> label(resolve("gaid", "avworld", {"config.fusion": "sample"}))
    'GAID (fusion=sample)'
    """
    return titled(spec, [f"{key}={text}" for key, text in label_settings(spec).items()])


def titled(spec: RunSpec, words: Sequence[str]) -> str:
    """The method's title, with some words behind it."""
    return find_method(spec.method).title + (f" ({', '.join(words)})" if words else "")


def label_settings(spec: RunSpec) -> LabelSettings:
    """What differs from the method's defaults on this data set, seeds left out."""
    default = defaults(spec.method, spec.dataset, spec.recipe)
    return {
        short(key): text_of(value)
        for key, value in dotted(spec).items()
        if default.get(key) != value and not key.startswith("seeds.")
    }


def settings_line(found: LabelSettings) -> str:
    """Settings in one line."""
    return ", ".join(f"{key}={text}" for key, text in found.items())


@cache
def defaults(method: str, dataset: str, recipe: str) -> Mapping[str, Any]:
    """What a method does on a data set under a recipe unless told otherwise, as dotted keys.

    The recipe itself is ours: another one is a setting.
    """
    return dotted(resolve(method, dataset, {"recipe": recipe})) | {"recipe": RECIPE}


def short(key: str) -> str:
    """A dotted key as it stands in a label."""
    return key.removeprefix("config.")


def text_of(value: Any) -> str:
    """A value as it stands in a label."""
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
