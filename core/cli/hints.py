"""What the line of a mistake ends with: the nearest right value, where one that does not exist was given.

Only said here and not where the mistake is found, so that better words do not change the code of a run.
"""

import json
import re

from pydantic import ValidationError

from core.axes import Declared, declared
from core.errors import BenchError, nearest
from core.spec import NESTED, RunSpec
from methods.parts.config import ComposedConfig


def hint(error: BenchError) -> str:
    """The nearest value that exists, in a question; empty where none is near or the value is no name."""
    if not isinstance(error.__cause__, ValidationError):
        return ""
    first = error.__cause__.errors()[0]
    given, listed = first["input"], first["type"] in ("tuple_type", "list_type")
    if not isinstance(given, str):
        return ""
    if listed:  # one name in the place of a list
        known = kinds_of(str(first["loc"][-1]) if first["loc"] else "")
    else:
        reason = first["msg"]
        known = re.findall(r"'([^']*)'", reason) if reason.startswith("Input should be '") else []
    near = [] if given in known else nearest(given, known)
    shown = [json.dumps([name]) if listed else repr(name) for name in near]
    return f"; did you mean {' or '.join(shown)}?" if shown else ""


def common_fields() -> dict[str, Declared]:
    """Key -> field of a run's spec and of the configuration that compositions share."""
    return declared({"": RunSpec, **NESTED, "config": ComposedConfig})


def kinds_of(name: str) -> list[str]:
    """The values of a field of a spec whose type lists them, by the field's own name."""
    fields = common_fields().values()
    return [str(kind) for field in fields if field.name == name for kind in field.kinds]


def keys_called(option: str) -> list[str]:
    """The keys of a spec whose last part an option is called as, e.g. of `--epochs`."""
    name = option.lstrip("-").replace("-", "_")
    return [key for key in common_fields() if name in (key, key.rpartition(".")[2])]
