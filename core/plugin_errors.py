"""What a plug-in raises, as the one line that its author needs."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from core.errors import BenchError

LONGEST = 120
"""Characters of a reason; a traceback has the rest."""
SHAPES = ("shape", "size", "dimension", "expected input", "must match", "normalized_shape")
"""Words of torch's messages about tensors that do not fit."""


NOT_THEIRS = ("core", "torch", "typing", "abc", "builtins")
"""Packages whose classes are bases of every method."""


class PluginError(BenchError):
    """An exception that a plug-in's own code has raised; the exception is its cause."""


@contextmanager
def blamed(plugin: type, doing: str, asked: str = "") -> Iterator[None]:
    """Turns what a plug-in raises while `doing` something into a `PluginError`.

    `asked` says what it was asked for, e.g. `width 96, 12 frames`: the answer to sizes that do not fit.
    What the bench itself refuses, and memory that runs out, stay as they are.
    """
    try:
        yield
    except (BenchError, MemoryError):
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error):
            raise
        raise PluginError(sentence(plugin, doing, asked, error)) from error


@contextmanager
def calling(plugin: Any, name: str) -> Iterator[None]:
    """The same for a call of a method that has been built: it was asked for what it was built for."""
    with blamed(type(plugin), name, in_words(getattr(plugin, "dimensions", None))):
        yield


def in_words(dimensions: Any) -> str:
    """Of `core.method.Dimensions`, `width 96, 12 frames, audio width 384`; empty where there are none."""
    if dimensions is None:
        return ""
    heard = f", audio width {dimensions.audio_width}" if dimensions.audio_width else ""
    return f"width {dimensions.width}, {dimensions.frames} frames{heard}"


def sentence(plugin: type, doing: str, asked: str, error: Exception) -> str:
    """`late: score fails (late.py, line 30, RuntimeError: ...); HINT; --traceback shows the rest`."""
    name = getattr(plugin, "name", plugin.__name__)
    words = " ".join(str(error).split())
    reason = f"{type(error).__name__}: {words[:LONGEST]}".removesuffix(": ")
    hint = f"asked for {asked}; " if asked else ""
    if asked and any(word in words.lower() for word in SHAPES):
        hint = f"asked for {asked}, so take every width from `dimensions`; "
    return f"{name}: {doing} fails ({place(plugin, error)}{reason}); {hint}--traceback shows the rest"


def place(plugin: type, error: BaseException) -> str:
    """The last line of the plug-in's own files that an exception passed; else the last line of any file."""
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    own = [frame for frame in frames if frame.filename in own_files(plugin)]
    return "".join(f"{Path(frame.filename).name}, line {frame.lineno}, " for frame in (own or frames)[-1:])


def own_files(plugin: type) -> set[str]:
    """The files of a class and of its bases, the bench's and libraries' left out."""
    bases = [cls for cls in plugin.__mro__ if cls.__module__.partition(".")[0] not in NOT_THEIRS]
    found = set()
    for cls in bases:
        with suppress(OSError, TypeError):  # a class without a file, made in an interpreter
            found.add(inspect.getfile(cls))
    return found
