"""What the configurations of a report are called: the method, and what tells its rows from each other.

What every run changes in the same way is said once, under the table; settings that always come together stand
as one mark in the labels and are spelled out once; so is a method's length of training where its rows agree.
No two configurations of a data set get the same label.
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

EPOCHS = "training.epochs"
FEW_METHODS = 3
"""Methods of one length of training above which a note calls them `the others`."""

LabelSettings = Mapping[str, str]
"""Dotted key, `config.` left out -> value, as they stand in a label."""

EpochsOfMethods = Mapping[str, Mapping[str, tuple[int, ...]]]
"""Data set -> method -> each number of epochs that a run of it trained."""


@dataclass(frozen=True)
class Labels:
    """The names of the configurations of one report."""

    everywhere: LabelSettings
    """What differs from the method's defaults in every run, and in the same way."""
    together: Mapping[str, LabelSettings]
    """Mark -> settings that stand behind it."""
    lengths: EpochsOfMethods
    """Data set -> method -> its epochs here, where a label leaves out some that are not the default."""

    @classmethod
    def among(cls, specs: Sequence[RunSpec]) -> Self:
        """The names for the runs of one report, at least one."""
        whole = {f"{spec.dataset} {label(spec)}": label_settings(spec) for spec in specs}
        items = dict.fromkeys(item for one in whole.values() for item in one.items())
        everywhere = dict(item for item in items if all(item in one.items() for one in whole.values()))
        lengths = {} if EPOCHS in everywhere else lengths_of(specs)
        rows = {f"{spec.dataset} {label(spec)}": told_apart_by(spec, lengths) for spec in specs}
        groups: dict[frozenset[str], dict[str, str]] = {}
        for key, text in dict.fromkeys(item for one in rows.values() for item in one.items()):
            if key not in everywhere:
                found = frozenset(row for row, one in rows.items() if one.get(key) == text)
                groups.setdefault(found, {})[key] = text
        bundles = [group for found, group in groups.items() if len(found) > 1 and len(group) > 1]
        return cls(everywhere, dict(zip(MARKS, bundles, strict=False)), lengths)

    def of(self, spec: RunSpec) -> str:
        """The label of one of the runs, seeds left out."""
        found = told_apart_by(spec, self.lengths)
        left = {key: text for key, text in found.items() if key not in self.everywhere}
        marks = [mark for mark, group in self.together.items() if group.items() <= left.items()]
        hidden = {key for mark in marks for key in self.together[mark]}
        return titled(spec, [*(f"{key}={text}" for key, text in left.items() if key not in hidden), *marks])

    @property
    def notes(self) -> list[str]:
        """What the labels leave out, a line each."""
        lines = [f"In every run: {settings_line(self.everywhere)}."] if self.everywhere else []
        lines += [f"{mark}: {settings_line(group)}." for mark, group in self.together.items()]
        several = len(self.lengths) > 1
        for dataset, methods in self.lengths.items():
            lines.append(f"Epochs{f' on {dataset}' if several else ''}: {lengths_line(methods)}.")
        return lines


def lengths_of(specs: Sequence[RunSpec]) -> EpochsOfMethods:
    """The epochs of every method on each data set on which a label is shorter without them.

    That is where all rows of some method have one number of epochs, which is not its default.
    """
    found: dict[str, dict[str, list[int]]] = {}
    changed: set[str] = set()
    for spec in specs:
        found.setdefault(spec.dataset, {}).setdefault(spec.method, []).append(spec.training.epochs)
    for spec in specs:
        if len(set(found[spec.dataset][spec.method])) == 1 and EPOCHS in label_settings(spec):
            changed.add(spec.dataset)
    return {
        dataset: {method: tuple(sorted(set(epochs))) for method, epochs in methods.items()}
        for dataset, methods in found.items()
        if dataset in changed
    }


def told_apart_by(spec: RunSpec, lengths: EpochsOfMethods) -> LabelSettings:
    """What differs from the method's defaults, without a length in which all rows of the method agree."""
    agreed = len(lengths.get(spec.dataset, {}).get(spec.method, ())) == 1
    return {key: text for key, text in label_settings(spec).items() if not (agreed and key == EPOCHS)}


def lengths_line(methods: Mapping[str, tuple[int, ...]]) -> str:
    """Each number of epochs with its methods, the largest first; many methods of one come last.

    >>> lengths_line({"gaid": (48,), "avigate": (48,), "dicosa": (96,), "xpool": (24, 48)})
    'X-Pool 24 and 48; DiCoSA 96; AVIGATE, GAID 48'
    """
    groups: dict[tuple[int, ...], list[str]] = {}
    for method, epochs in methods.items():
        groups.setdefault(epochs, []).append(find_method(method).title)
    words = [(epochs, sorted(titles, key=str.casefold)) for epochs, titles in groups.items()]
    words.sort(key=lambda group: (len(group[0]), group[0]), reverse=True)
    most = max(words, key=lambda group: (len(group[0]) == 1, len(group[1]), [-n for n in group[0]]))
    if len(words) > 1 and len(most[1]) > FEW_METHODS and len(most[0]) == 1:
        words.remove(most)
        words.append((most[0], ["the others"]))
    return "; ".join(f"{', '.join(titles)} {' and '.join(map(str, epochs))}" for epochs, titles in words)


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
