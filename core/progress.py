"""Where long work reports to: protocols that the command line implements, for the engine prints nothing."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol

from core.visible import visible

Tone = Literal["", "good", "bad"]
"""Colour of a line's first word, where there are colours."""
Advance = Callable[[int, str], None]
"""Called with the units done since the last call and a short note such as the current loss."""


class Progress(Protocol):
    """Where long work reports to."""

    def task(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """A task of `total` units; the context yields the function that advances it."""
        ...

    def say(self, line: str, tone: Tone = "") -> None:
        """One line for the user, such as an estimate before long work begins."""
        ...


class Bar(Protocol):
    """The bar of one of several works that run at the same time."""

    def start(self, phase: str, total: int) -> None:
        """A new phase of `total` units begins."""
        ...

    def advance(self, units: int, note: str) -> None:
        """Units done since the last call, and a short note such as the current loss."""
        ...

    def remove(self) -> None:
        """The work has ended."""
        ...


class ManyBars(Progress, Protocol):
    """A `Progress` that can show several works at the same time."""

    def bars(self) -> AbstractContextManager[Callable[[str], Bar]]:
        """The context yields the function that adds a bar of a given name."""
        ...


class Silent:
    """Reports nothing."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """A task that nobody sees."""
        yield lambda units, note: None

    def say(self, line: str, tone: Tone = "") -> None:
        """Nothing."""


class Lines(Silent):
    """Prints what is said and shows no bars: for scripts, and where no command line is in charge."""

    def say(self, line: str, tone: Tone = "") -> None:
        """Prints the line."""
        print(visible(line), flush=True)


def bytes_in_words(size: float) -> str:
    """A number of bytes for people.

    >>> bytes_in_words(24.31e9), bytes_in_words(3_400_000)
    ('24.3 GB', '3.4 MB')
    """
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def seconds_in_words(seconds: float) -> str:
    """A time span for people, whole seconds rounded up.

    >>> seconds_in_words(11.4), seconds_in_words(750), seconds_in_words(11_000)
    ('12 s', '12 min', '3.1 h')
    """
    if seconds >= 7200:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{math.ceil(seconds)} s"
