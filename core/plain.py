"""Values out of files and options, before anything is done with them: plain, finite and of a bounded size."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

LARGEST_NUMBER = 2**63
"""What a whole number may reach."""
VALUES = 100_000
"""How many values may stand in one file. A few lines of YAML can name billions, by aliases of aliases."""


def check_plain(content: Any) -> None:
    """Raises `ValueError` for what no option can be: infinite, too large, of another type, or too many."""
    waiting: list[Any] = [content]
    for _ in range(VALUES):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, Mapping):
            if stray := next((key for key in value if not isinstance(key, str)), None):
                raise ValueError(f"a key is of type {type(stray).__name__}; write it in quotes")
            waiting += value.values()
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            waiting += value
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value} is no number that an option can have; give a finite one")
        elif isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
            raise ValueError(f"a number of {value.bit_length()} bits is too large; give one below 2^63")
        elif not isinstance(value, str | int | float | None):
            raise ValueError(f"a value is of type {type(value).__name__}; write it in quotes")
    raise ValueError(f"it holds more than {VALUES:,} values")


def brief(value: Any) -> str:
    """A value as it can stand in a line, at most 60 characters.

    >>> brief("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
    """
    if isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        value = value[:100]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
