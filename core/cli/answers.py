"""Answers for programs: JSON, alone on standard output.

Whatever else such a command, its libraries or its processes print goes to standard error. Exit codes are
those of the command without `--json`, and a mistake leaves standard output empty.
"""

import io
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from pydantic import BaseModel

from core.visible import visible_json

AsJson = Annotated[
    bool, typer.Option("--json", help="Print the answer as JSON, alone on standard output (docs/json.md).")
]

_reserved: list[TextIO] = []
"""Standard output, while everything else is diverted from it; else empty."""


def answer(content: Any) -> None:
    """Prints the answer: figures that do not exist are null, paths are strings, records are objects."""
    text = json.dumps(plain_values(content), indent=1, ensure_ascii=False, allow_nan=False)
    print(visible_json(text), file=_reserved[-1] if _reserved else sys.stdout, flush=True)


def plain_values(content: Any) -> Any:
    """What JSON has of records, paths and figures; JSON has no number for NaN and infinity."""
    if isinstance(content, BaseModel):
        return plain_values(content.model_dump(mode="json"))
    if is_dataclass(content) and not isinstance(content, type):
        return plain_values(asdict(content))
    if isinstance(content, Mapping):
        return {str(key): plain_values(value) for key, value in content.items()}
    if isinstance(content, Path):
        return str(content)
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Sequence | set | frozenset) and not isinstance(content, str | bytes):
        return [plain_values(value) for value in content]
    return content


@contextmanager
def reserved(asked: bool) -> Iterator[None]:
    """Reserves standard output for `answer` where a command is `asked` for JSON."""
    if not asked:
        yield
        return
    before, copied = sys.stdout, _copy(sys.stdout)
    _reserved.append(copied or before)
    _divert(copied)
    try:
        yield
    finally:
        _reserved.pop()
        _restore(before, copied)
        if copied:
            with suppress(
                BrokenPipeError
            ):  # its reader has gone, and was told so when the answer was printed
                copied.close()


@contextmanager
def restored() -> Iterator[None]:
    """Standard output as the command found it, for a process that takes the place of this one."""
    stream = _reserved[-1] if _reserved else sys.stdout
    diverted, descriptor = sys.stdout, _descriptor(stream)
    if stream is sys.stdout or descriptor is None:
        yield
        return
    kept = os.dup(1)
    os.dup2(descriptor, 1)
    try:
        yield
    finally:
        diverted.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _copy(stream: TextIO) -> TextIO | None:
    """Another stream to the process's standard output; None where `stream` is a stand-in for it."""
    return os.fdopen(os.dup(1), "w", encoding="utf-8") if _descriptor(stream) == 1 else None


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (io.UnsupportedOperation, OSError, ValueError):
        return None


def _divert(copied: TextIO | None) -> None:
    """Sends what is printed to standard error, that of children and of libraries in C too."""
    sys.stdout.flush()
    if copied:
        os.dup2(2, 1)
    sys.stdout = sys.stderr


def _restore(before: TextIO, copied: TextIO | None) -> None:
    sys.stdout = before
    if copied:
        os.dup2(copied.fileno(), 1)
