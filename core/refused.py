"""What is said of a value that pydantic refuses: what its key takes, the value, and the nearest right one."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.errors import nearest
from core.plain import brief
from core.spec import Seeds

TAKES: Mapping[str, str] = {
    "int": "takes a whole number",
    "float": "takes a number",
    "bool": "takes true or false",
    "string": "takes text",
    "dict": 'takes a mapping, e.g. {"NAME": 0.5}',
    "mapping": 'takes a mapping, e.g. {"NAME": 0.5}',
    "finite": "takes a finite number",
    "model": "takes a mapping of keys",
}
"""What a key takes, by the first word of pydantic's name for the mistake, e.g. of `int_parsing`."""
BOUNDS: Mapping[str, str] = {
    "ge": "must be at least {}",
    "gt": "must be greater than {}",
    "le": "must be at most {}",
    "lt": "must be less than {}",
    "min_length": "takes at least {} value",
    "max_length": "takes at most {} values",
}
"""What the context of a mistake says of the values that are allowed."""


def refusal(
    error: ValidationError,
    place: Callable[[Sequence[int | str]], str],
    known: Sequence[str] = (),
    examples: Mapping[str, str] | None = None,
) -> str:
    """The first mistake in a line: the key as `place` calls it, what it takes, the value, the nearest names.

    `known` are the values that exist for the parts of a list, where they are listed; `examples` show how a
    key is written.
    """
    first = error.errors()[0]
    key = next((part for part in reversed(first["loc"]) if isinstance(part, str)), "")
    words = f"{place(first['loc'])} {what_it_takes(first, known, (examples or {}).get(key, ''))}".strip()
    whole = first["type"] == "value_error" and isinstance(first["input"], Mapping)  # of many keys
    if first["type"] == "missing" or whole or first["input"] is None:
        return words
    return f"{words} (given {brief(first['input'])}){suggestion(first)}"


def what_it_takes(first: ErrorDetails, known: Sequence[str], example: str) -> str:
    """What the key of a mistake takes, with an example where it must be of another shape."""
    kind, context, given = first["type"], first.get("ctx", {}), first["input"]
    shown = f", e.g. {example}" if example else ""
    if kind == "missing":
        return f"is missing{shown}"
    if kind in ("tuple_type", "list_type"):
        if given is None:
            return f"is empty{shown}"
        return f"must be a list{shown or example_of_list(given, known)}"
    if kind in ("dict_type", "mapping_type", "model_type") and example:
        return f"takes a mapping{shown}"
    if names := names_in(first):
        return f"takes {one_of(names)}"
    if isinstance(given, str) and re.fullmatch(r"\d+-\d+", given):  # pydantic reads `0-4` as -4
        return "takes one whole number here, not a range"
    for name, words in BOUNDS.items():
        if name in context:
            return words.format(
                f"{context[name]:,}" if isinstance(context[name], int) else f"{context[name]:g}"
            )
    if found := TAKES.get(kind.partition("_")[0]):
        return found
    return first["msg"].removeprefix("Value error, ")


def example_of_list(given: Any, known: Sequence[str]) -> str:
    """A list in the place of one value, as a file and as the command line takes it; else empty."""
    if isinstance(given, str):
        named: list[Any] = [name.strip(" '\"") for name in given[:40].strip("[ ]").split(",")]
        named = [name if name in known else (nearest(name, known) or [name])[0] for name in named]
    elif isinstance(given, int | float):
        named = [given]
    else:
        return ""
    text = json.dumps(named)
    return f", e.g. {text}, on the command line '{text}'"


def names_in(first: ErrorDetails) -> list[str]:
    """The only values that exist, where the mistake lists them."""
    found = re.fullmatch(
        r"(?:Input should be|.* is not one of) ('[^']*'(?:(?:, | or )'[^']*')*)\.?", first["msg"]
    )
    return re.findall(r"'([^']*)'", found[1]) if found else []


def one_of(names: Sequence[str]) -> str:
    """Names with commas and an "or" between them.

    >>> one_of(["last", "val", "test-best"])
    "'last', 'val' or 'test-best'"
    """
    *most, last = map(repr, names)
    return f"{', '.join(most)} or {last}" if most else last


def suggestion(first: ErrorDetails) -> str:
    """The names nearest to the value that was given, in a question; empty where none is near."""
    near = nearest(first["input"], names_in(first)) if isinstance(first["input"], str) else []
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def dotted_place(error: ValidationError, place: Sequence[int | str]) -> str:
    """The dotted key of a place in a spec, without the numbers of list entries.

    One number that sets all three seeds is the key `seeds`, as it was given.
    """
    key = ".".join(part for part in place if isinstance(part, str))
    part, _, name = key.rpartition(".")
    prefix = f"{part}." if part else ""
    given = {e["loc"][-1]: e["input"] for e in error.errors()}
    if name in Seeds.model_fields and list(given) == list(Seeds.model_fields):
        return prefix.removesuffix(".") if len({*map(repr, given.values())}) == 1 else key
    return key
