"""A table as data: title, columns, rows of text and how cells stand out. `reports/write.py` prints them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

Place = Literal["", "best", "second"]
"""How a cell ranks in its column: best is printed bold, second underlined."""

DASH = "–"
"""What does not exist."""

NOISE = 9
"""Decimals beyond which two ways to add up the same figure may differ."""


@dataclass(frozen=True)
class Mark:
    """How a cell stands out."""

    place: Place = ""
    letters: str = ""
    """Rows that this one is significantly better than, by their letters."""


@dataclass(frozen=True)
class Table:
    """A table as it is printed."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)
    """Lines under the table."""
    marks: Mapping[tuple[int, int], Mark] = field(default_factory=dict)
    """Row and column of the cells that stand out."""
    words: Sequence[int] = (0, 1)
    """Columns that hold words; the others hold figures and are set to the right."""

    @property
    def slug(self) -> str:
        """The title as a file name."""
        kept = "".join(c if c.isalnum() or c == " " else "" for c in self.title.lower().replace("-", " "))
        return "-".join(kept.split())


def rounded(value: float, digits: int = 1) -> Decimal:
    """A finite figure at some decimals, halves away from zero: the one rule of every command.

    Halves are those of the decimal figure, so that 20.55 is 20.6 however its sum was rounded on the way.

    >>> [str(rounded(value)) for value in (20.55, -20.55, 0.1 + 0.2 + 20.25, -0.01)]
    ['20.6', '-20.6', '20.6', '0.0']
    """
    found = Decimal(repr(round(float(value), NOISE))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return found if found else abs(found)


def number(value: float | None, digits: int = 1) -> str:
    """A figure, or a dash where it does not exist."""
    return DASH if value is None or not math.isfinite(value) else str(rounded(value, digits))


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign, or a dash where it does not exist."""
    return DASH if not math.isfinite(value) else f"{rounded(value, digits):+f}"


def amount(count: object, noun: str) -> str:
    """How many there are of something; what is no number is taken for several.

    >>> amount(1, "thread"), amount(2_000, "video"), amount("?", "core")
    ('1 thread', '2,000 videos', '? cores')
    """
    shown = f"{count:,}" if isinstance(count, int) else str(count)
    return f"{shown} {noun}" + ("" if count == 1 else "s")


def between(low: float, high: float) -> str:
    """An interval of figures.

    >>> between(35.04, 43.25)
    '35.0 to 43.3'
    """
    return f"{number(low)} to {number(high)}"


def places(values: Sequence[float], *, lower_is_better: bool = False, digits: int = 1) -> list[Place]:
    """Best and second best of a column, ties sharing a place; nothing where fewer than two differ.

    Values that print alike tie; those that do not exist have no place.
    """
    sign = -1 if lower_is_better else 1
    shown = [sign * rounded(value, digits) if math.isfinite(value) else None for value in values]
    ranked = sorted({value for value in shown if value is not None}, reverse=True)
    if len(ranked) < 2:
        return ["" for _ in shown]
    return ["best" if v == ranked[0] else "second" if v == ranked[1] else "" for v in shown]
