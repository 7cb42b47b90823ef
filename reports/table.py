"""A table as data: title, columns, rows of text and how cells stand out. `reports/write.py` prints them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Place = Literal["", "best", "second"]
"""How a cell ranks in its column: best is printed bold, second underlined."""


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


def number(value: float | None, digits: int = 1) -> str:
    """A figure, or a dash where it does not exist."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def signed(value: float) -> str:
    """A difference with its sign, or a dash where it does not exist."""
    return "–" if math.isnan(value) else f"{value:+.1f}"


def places(values: Sequence[float], *, lower_is_better: bool = False) -> list[Place]:
    """Best and second best of a column, ties sharing a place; nothing where fewer than two differ.

    Values that print alike tie.
    """
    shown = [round(-v if lower_is_better else v, 1) for v in values]
    ranked = sorted({v for v in shown if not math.isnan(v)}, reverse=True)
    if len(ranked) < 2:
        return ["" for _ in shown]
    return ["best" if v == ranked[0] else "second" if v == ranked[1] else "" for v in shown]
