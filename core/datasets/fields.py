"""What a field of an annotation file may hold: names that stay in the folder, captions that are there."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, ValidationError

NO_CAPTION = frozenset({"", "nan", "none", "null"})
"""What an empty cell becomes when a table has gone through pandas or a database."""

TextCheck = Callable[[str], str]
"""Takes the text of a cell and returns its value; raises `ValueError` saying what is wrong with it."""


def checked_name(text: str) -> str:
    """The name of a file or a video; raises `ValueError` for an empty one and one that holds a path."""
    name = text.strip()
    if not name:
        raise ValueError("the video has no name")
    if name in (".", "..") or any(mark in name for mark in "/\\\0"):
        raise ValueError(f"the name {shown(name)} leads out of the data set's folder")
    return name


def checked_caption(text: str) -> str:
    """A caption as it is; raises `ValueError` where there is none."""
    if text.strip().casefold() in NO_CAPTION:
        raise ValueError(f"the caption is {shown(text)}; give it a text or take it out")
    return text


Name = Annotated[str, AfterValidator(checked_name)]
"""A video's name in a JSON file."""
Caption = Annotated[str, AfterValidator(checked_caption)]
"""A caption in a JSON file."""


def shown(text: str) -> str:
    """A piece of a file as it can stand in a line: quoted, control characters escaped, at most 60 of it."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def problem(error: ValidationError) -> str:
    """The first thing that is wrong with a record: where, and why."""
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    return ": ".join([".".join(map(str, first["loc"])), reason]) if first["loc"] else reason
