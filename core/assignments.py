"""`--set key=value`: one value of a key, or several of them to sweep."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from core.errors import BenchError
from core.plain import brief, check_plain


def parse_value(text: str, option: str = "--set") -> Any:
    """A value of an option as JSON where it parses as such, else as text.

    Raises `BenchError` for numbers that are infinite or too large, and for what is nested too deeply.
    """
    try:
        return json_value(text, option)
    except json.JSONDecodeError:
        return text


def json_value(text: str, option: str) -> Any:
    """JSON whose values an option can have; raises `JSONDecodeError` for what is no JSON.

    Raises `BenchError` for numbers that are infinite or too large, and for what is nested too deeply.
    """
    try:
        content = json.loads(text)
        check_plain(content)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{option}: {error} (given {brief(text)})") from error
    return content


def split_assignment(text: str) -> tuple[str, str]:
    """The key and the text behind it; raises `BenchError` unless there are both."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BenchError(f"--set {brief(text)} is not of the form key=value, e.g. --set training.epochs=2")
    return key, value


def parse_assignment(text: str) -> tuple[str, Any]:
    """The dotted key and the one value of a `--set` option; commas belong to the value."""
    key, value = split_assignment(text)
    return key, parse_value(value, f"--set {key}")


def assignment(key: str, value: Any) -> str:
    """What `--set` reads back as this one value of a key.

    >>> assignment("a", "b,c"), assignment("a", "last"), assignment("a", [1, 2])
    ('a="b,c"', 'a=last', 'a=[1, 2]')
    """
    plain = isinstance(value, str) and parse_values(value) == (value,)
    return f"{key}={value if plain else json.dumps(value)}"


def top_level_items(text: str) -> Iterator[str]:
    """The parts of a text between commas, except commas within quotes, brackets or braces.

    >>> list(top_level_items('["frame"],["frame","audio"]'))
    ['["frame"]', '["frame","audio"]']
    """
    start, depth, quoted = 0, 0, False
    for position, character in enumerate(text):
        if character == '"' and text[position - 1 : position] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (character in "[{") - (character in "]}")
            if character == "," and depth == 0:
                yield text[start:position]
                start = position + 1
    yield text[start:]


def parse_values(text: str, option: str = "--set") -> tuple[Any, ...]:
    """One value, or several with commas between them. A value with a comma of its own is quoted or a list.

    >>> parse_values("0.25,0.5"), parse_values('"a,b"'), parse_values('["frame","audio"]')
    ((0.25, 0.5), ('a,b',), (['frame', 'audio'],))
    """
    try:
        return (json_value(text, option),)
    except json.JSONDecodeError:
        pass
    return tuple(parse_value(item.strip(), option) for item in top_level_items(text))


def sweeps(assignments: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """The values of each key of some `--set` options, in their order.

    Raises `BenchError` for a key that is given twice and for a list with an empty place.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for text in assignments:
        key, value = split_assignment(text)
        if key in found:
            raise BenchError(f"--set {key} is given twice; to sweep it, write --set {key}=VALUE,VALUE")
        found[key] = parse_values(value, f"--set {key}")
        if len(found[key]) > 1 and "" in found[key]:
            raise BenchError(f"--set {brief(text)} has an empty value between its commas")
    return found
