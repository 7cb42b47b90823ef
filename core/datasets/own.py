"""Data sets of a user's own, by the names that `bench data add NAME --videos ... --captions ...` gave."""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from core.datasets.folder import FOLDER
from core.datasets.locations import named_in_settings
from core.datasets.real import RealDataset
from core.errors import BenchError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,59}")
"""A name of a data set: it becomes part of folder names, and stands in lists with commas."""


def own_names(registered: Iterable[str]) -> list[str]:
    """The names of a user's own data sets: those in `bench.toml` that are not `registered`.

    Raises `BenchError` where a `bench.toml` cannot be read.
    """
    known = {name.casefold() for name in registered}
    return [name for name in named_in_settings() if name.casefold() not in known and NAME.fullmatch(name)]


@cache
def own_dataset(name: str) -> RealDataset:
    """The data set of a user's own of that name; it is read as the data set `folder` is."""
    return replace(FOLDER, name=name)


def check_own_name(name: str, known: Iterable[str]) -> None:
    """Raises `BenchError` for a name that a data set of a user's own cannot have."""
    if not NAME.fullmatch(name):
        raise BenchError(
            f"'{name}' is no name for a data set; use up to 60 letters, digits, -, _, + and ., a letter or "
            "digit first"
        )
    if other := next((other for other in known if other.casefold() == name.casefold()), None):
        raise BenchError(f"there is a data set '{other}' already; choose another name")
