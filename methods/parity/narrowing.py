"""What a check knows of the method that its file was recorded of, and the types do not."""

from typing import TypeVar

Part = TypeVar("Part")
Given = TypeVar("Given")


def as_kind(part: object, kind: type[Part]) -> Part:
    """A part of the method that a file was recorded of; raises `TypeError` for one of another kind."""
    if not isinstance(part, kind):
        raise TypeError(f"{type(part).__name__} is no {kind.__name__}")
    return part


def given(value: Given | None) -> Given:
    """What a file's method has; raises `TypeError` where it has none."""
    if value is None:
        raise TypeError("this method has none of what the file records")
    return value
