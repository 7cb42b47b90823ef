"""Long lists of names for people: the first of them, each with what is to be said of it, then a number."""

import re
from collections.abc import Sequence

from core.visible import LIMIT

SHOWN = 10
"""Names that are shown of a list."""


def first_names(found: Sequence[tuple[str, str]]) -> str:
    """The first names with the reason of each, where it has one, and how many more there are.

    >>> first_names([("a", "no such file"), ("b", "")])
    'a (no such file); b'
    >>> first_names([(str(n), "") for n in range(1_012)])[-21:]
    ' 8; 9; and 1,002 more'
    """
    shown = [f"{name} ({reason})" if reason else name for name, reason in found[:SHOWN]]
    return "; ".join([*shown, *([f"and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else [])])


def in_lines(text: str) -> list[str]:
    """The text in lines that no screen cuts, broken behind a semicolon; all but the first are indented.

    A part without a semicolon that is longer than a line stays whole.
    """
    lines = [""]
    for part in re.split(r"(?<=; )", text):
        if lines[-1].strip() and len(lines[-1]) + len(part.rstrip()) > LIMIT:
            lines.append("  ")
        lines[-1] += part
    return [line.rstrip() for line in lines]
