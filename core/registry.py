"""The registry of methods: the modules of the folder `methods/`, then installed entry points.

All that is wrong with a method is found when it is registered, and told in one line with its name. A broken
plug-in stops only what uses it.
"""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from core.authors import Authors
from core.axes import declared
from core.capabilities import Candidates, Exact, Gate, ReleasedScorer, Timed
from core.errors import BenchError, unknown_name
from core.method import Method, MethodConfig, Needs
from core.plugins import METHODS, Registered, register
from core.spec import NESTED, RunSpec

CALLS: Mapping[str, tuple[str, ...]] = {
    "__init__": ("config", "dimensions"),
    "loss": ("texts", "videos", "generator"),
    "index": ("videos",),
    "score": ("texts", "index", "noise"),
}
"""What the engine passes to a method, in this order."""
CAPABILITIES: Mapping[str, type] = {
    "needs": Needs,
    "exact": Exact,
    "released": ReleasedScorer,
    "gate": Gate,
    "authors": Authors,
    "candidates": Candidates,
    "timed": Timed,
}
"""Optional names of the contract and what they may be."""
NEVER_CALLED: Mapping[str, str] = {
    "uses_audio": "needs = Needs(sound=True)",
    "uses_patches": "needs = Needs(patches=True)",
    "uses_video_captions": "needs = Needs(video_captions=True)",
    "floats_per_pair": "needs = Needs(floats_per_pair=...)",
    "dataset_defaults": 'recipe = {"KEY@DATASET": ...}',
    "own_caption_scoring": "released, a core.capabilities.ReleasedScorer",
    "released_": "released, a core.capabilities.ReleasedScorer",
    "exact_": "exact, a core.capabilities.Exact",
    "gate_axis": "gate, a core.capabilities.Gate",
    "gates": "gate, a core.capabilities.Gate",
    "load_reference": "authors, a core.authors.Authors",
    "reference_": "authors, a core.authors.Authors",
    "initialise_from_clip": "authors, a core.authors.Authors",
    "rate_group": "authors, a core.authors.Authors",
}
"""Names, or beginnings of names that end in `_`, that look like the contract's and are never called."""


@cache
def scan() -> Registered[type[Method]]:
    """Everything that is registered, and what is broken by the name of its module or entry point."""
    return register(METHODS, methods_of)


def methods_of(candidate: object, offered: bool) -> Mapping[str, type[Method]]:
    """What an object registers: itself, where it is a method that an entry point offers or that names itself.

    Raises `BenchError` for one that breaks the contract.
    """
    if not (isinstance(candidate, type) and issubclass(candidate, Method)):
        return {}
    if not offered and "name" not in vars(candidate):
        return {}
    check_contract(candidate)
    return {candidate.name: candidate}


def check_contract(cls: type[Method]) -> None:
    """Raises `BenchError` where a class breaks the contract, or defines what would never be called."""
    for name in ("name", "title", "paper"):
        value = getattr(cls, name, None)
        if not isinstance(value, str) or not value.strip():
            raise BenchError(f"{cls.__name__} has no {name}; give it a text")
    config = getattr(cls, "Config", None)
    if not (isinstance(config, type) and issubclass(config, MethodConfig)):
        raise BenchError(f"{cls.name} has no Config; make it a subclass of core.method.MethodConfig")
    try:
        config()
    except Exception as error:  # pydantic's, or a validator's own
        raise BenchError(
            f"{cls.name}: Config has no complete defaults ({' '.join(str(error).split())})"
        ) from error
    check_recipe(cls)
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        raise BenchError(f"{cls.name} does not define {', '.join(missing)}")
    for name, arguments in CALLS.items():
        check_call(cls, name, arguments)
    for name, kind in CAPABILITIES.items():
        value = inspect.getattr_static(cls, name)
        if value is not None and not isinstance(value, kind | property):
            raise BenchError(f"{cls.name}: {name} is no {kind.__name__} ({value!r})")
    own = [
        name for base in cls.__mro__ if issubclass(base, Method) and base is not Method for name in vars(base)
    ]
    for name in own:
        for stem, instead in NEVER_CALLED.items():
            if name == stem or (stem.endswith("_") and name.startswith(stem)):
                raise BenchError(f"{cls.name}: '{name}' would never be called; use {instead}")


def check_recipe(cls: type[Method]) -> None:
    """Raises `BenchError` for a key of the recipe that no spec takes; data options are not checked here."""
    if not isinstance(cls.recipe, Mapping):
        raise BenchError(f"{cls.name}: recipe is no mapping of dotted keys")
    known = declared({"": RunSpec, **NESTED, "config": cls.Config}).keys() - {"method", "dataset"}
    for key in (str(key).partition("@")[0] for key in cls.recipe):
        if key not in known and not key.startswith("data."):
            raise unknown_name(f"key in the recipe of {cls.name}", key, known)


def check_call(cls: type[Method], name: str, arguments: tuple[str, ...]) -> None:
    """Raises `BenchError` where a method of a class cannot be called as the engine does."""
    function: Any = getattr(cls, name)
    try:
        inspect.signature(function).bind(None, *arguments)
    except TypeError as error:
        raise BenchError(
            f"{cls.name}: {name} is called as {name}({', '.join(arguments)}) and cannot be ({error})"
        ) from error


def registered_methods() -> Mapping[str, type[Method]]:
    """Every method that can be used, by name."""
    return scan()


def broken_methods() -> Mapping[str, str]:
    """What is wrong with each method that cannot be used, in one line."""
    return scan().broken


def find_method(name: str) -> type[Method]:
    """The method of that name; raises `BenchError` with what is wrong with it, or the nearest right name."""
    return scan().find(name)
