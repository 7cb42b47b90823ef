"""Ranges of whole numbers in options: `0-4` are all from 0 to 4."""

import re
from collections.abc import Container, Mapping, Sequence
from typing import Any

from core.errors import BenchError

LONGEST_RANGE = 1000
"""Numbers that a range in an option may stand for: more is a slip of the keyboard."""


def span(item: str, option: str) -> range | None:
    """The numbers of a range like `0-4`, both ends included; None for what is written otherwise.

    Raises `BenchError` for one that runs backwards or is too long.
    """
    ends = re.fullmatch(r"(\d+)-(\d+)", item)
    if ends is None:
        return None
    first, last = map(int, ends.groups())
    if not first <= last < first + LONGEST_RANGE:
        right = f"{last}-{min(first, last + LONGEST_RANGE - 1)}" if last < first else f"{first}-{first + 4}"
        raise BenchError(
            f"{option} {item} is no range of 1 to {LONGEST_RANGE:,} numbers; write e.g. {option} {right}"
        )
    return range(first, last + 1)


def with_ranges(
    changes: Mapping[str, tuple[Any, ...]], whole: Container[str], option: str = "--set {}"
) -> dict[str, tuple[Any, ...]]:
    """The values of some keys; ranges are spelt out in those of the `whole` ones, which take whole numbers.

    `option` is how a key is written where it was given, with `{}` for the key.

    >>> with_ranges({"seeds": ("0-2", 5), "config.fusion": ("0-2",)}, {"seeds"})
    {'seeds': (0, 1, 2, 5), 'config.fusion': ('0-2',)}
    """
    return {
        key: tuple(number for value in values for number in spelt_out(option.format(key), value))
        if key in whole
        else values
        for key, values in changes.items()
    }


def spelt_out(option: str, value: Any) -> Sequence[Any]:
    """The numbers of a range, or the value alone."""
    return (isinstance(value, str) and span(value, option)) or (value,)
