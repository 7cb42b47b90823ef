"""The line of a mistake in plain words: the key, what it takes, the nearest right value, where the list is.

Only said here and not where the mistake is found, so that better words do not change the code of a run.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from types import NoneType
from typing import Any, get_args

from pydantic import ValidationError

from core.axes import Declared, declared
from core.errors import BenchError
from core.refused import dotted_place, refusal
from core.spec import NESTED, RunSpec, explain
from methods.parts.config import ComposedConfig


def line_of(error: BenchError) -> str:
    """The line of a mistake; what pydantic said of a value is said in plain words."""
    cause, text = error.__cause__, str(error)
    while isinstance(cause, BenchError):  # the same line with the name of a file before it
        cause = cause.__cause__
    if not isinstance(cause, ValidationError) or (old := explain(cause)) not in text:
        return text
    before, _, behind = text.partition(old)
    fields = fields_before(before)
    first = cause.errors()[0]
    known = [str(kind) for kind in kinds_of(str(first["loc"][-1]) if first["loc"] else "", fields)]
    words = refusal(cause, partial(key_in, cause, fields), known)
    field = fields.get(key_in(cause, fields, first["loc"]))
    if field and NoneType in get_args(field.info.annotation) and " takes " in words:
        words = words.replace(" (given", " or null (given", 1)
    pair = pair_in(before)
    where = f" See: bench methods --keys {pair[0]}" if pair else ""
    if where and not words.endswith("?"):
        where = f"; see:{where.removeprefix(' See:')}"
    return f"{before}{words}{behind}{where}"


def option_line(error: Exception) -> str:
    """The line of a value that an option does not take; empty for other mistakes in a command's words."""
    parameter, cause = getattr(error, "param", None), error.__cause__
    if parameter is None or not isinstance(cause, ValidationError):
        return ""
    option = max(parameter.opts, key=len) if parameter.opts[0].startswith("-") else parameter.name.upper()
    return refusal(cause, lambda _: option)


def pair_in(before: str) -> tuple[str, str] | None:
    """The method and the data set that a line names before its key; None where it names none."""
    found = re.search(r"(\S+) on (\S+): $", before)
    return (found[1], found[2]) if found else None


def fields_before(before: str) -> Mapping[str, Declared]:
    """The keys of the method and the data set that a line names before its key; else those that all share."""
    pair = pair_in(before)
    if pair is None:
        return common_fields()
    from core.resolving import fields_of

    try:
        return fields_of(*pair)
    except BenchError:  # the line is about something else
        return common_fields()


def key_in(error: ValidationError, fields: Mapping[str, Declared], place: Sequence[int | str]) -> str:
    """The dotted key of a place as `--set` has it: a method's and a data set's own with their part's name."""
    key = dotted_place(error, place)
    if error.title == RunSpec.__name__ or key in fields:
        return key
    part = "data." if error.title.endswith("Options") else "config."
    return part + key if part + key in fields else key


def common_fields() -> dict[str, Declared]:
    """Key -> field of a run's spec and of the configuration that compositions share."""
    return declared({"": RunSpec, **NESTED, "config": ComposedConfig})


def kinds_of(name: str, fields: Mapping[str, Declared]) -> list[Any]:
    """The values of a field of a spec whose type lists them, by the field's own name."""
    return [kind for field in fields.values() if field.name == name for kind in field.kinds]


def keys_called(option: str) -> list[str]:
    """The keys of a spec whose last part an option is called as, e.g. of `--epochs`."""
    name = option.lstrip("-").replace("-", "_")
    return [key for key in common_fields() if name in (key, key.rpartition(".")[2])]
