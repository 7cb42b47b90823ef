"""The kinds of a part: each is registered where it is defined, and configurations take what is registered.

    @FUSIONS.kind("none")
    class NoFusion(Fusion): ...

A part is a package; each of its modules is imported when the kinds are first asked for, so that a new kind
is one new file. A kind is built by its `build(config, dimensions)`.
"""

import ast
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from core.errors import BenchError
from core.plugins import reason_of_import

AnyKind = TypeVar("AnyKind", bound=type)


@dataclass(frozen=True)
class Kinds:
    """The kinds of one part. In an annotation, `Annotated[str, FUSIONS]`, the field takes their names."""

    part: str
    """What the part is called: a field of the configuration."""
    package: str
    """The package whose modules register them."""
    classes: dict[str, Any] = field(default_factory=dict, compare=False)
    """Those that are registered so far, by name."""

    def kind(self, *names: str) -> Callable[[AnyKind], AnyKind]:
        """Registers a class under its name, or under several that its `build` tells apart.

        Raises `BenchError` for a name that is taken.
        """

        def register(cls: AnyKind) -> AnyKind:
            for name in names:
                taken = self.classes.get(name, cls)
                if taken.__qualname__ != cls.__qualname__ or taken.__module__ != cls.__module__:
                    raise BenchError(f"two kinds of {self.part} are called '{name}': {taken!r} and {cls!r}")
                self.classes[name] = cls
            return cls

        return register

    def __iter__(self) -> Iterator[str]:
        """The names of all kinds: `none` first, then in the order of the alphabet.

        Raises `BenchError` for a file of the package that cannot be imported.
        """
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            name = f"{self.package}.{module.name}"
            try:
                importlib.import_module(name)
            except BenchError:
                raise
            except Exception as error:  # whatever an import raises belongs to the file
                raise BenchError(f"{name.replace('.', '/')}.py: {reason_of_import(error)}; fix it") from error
        return iter(sorted(self.classes, key=lambda name: (name != "none", name)))

    def names(self) -> tuple[str, ...]:
        """The names of all kinds."""
        return tuple(self)

    def listed(self) -> tuple[str, ...]:
        """The names as the sources of the part register them, without importing any; `none` first.

        A name that only running the source would tell is not among them.
        """
        found = set(self.classes)
        package = find_spec(self.package)
        for folder in (package.submodule_search_locations or ()) if package else ():
            for file in Path(folder).glob("*.py"):
                found |= registered_in(file, file.stat().st_mtime_ns)
        return tuple(sorted(found, key=lambda name: (name != "none", name)))

    def build(self, config: Any, dimensions: Any) -> Any:
        """The part that a configuration names; raises `BenchError` where it cannot be built."""
        list(self)
        return self.classes[getattr(config, self.part)].build(config, dimensions)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string that is the name of a kind."""
        return core_schema.no_info_after_validator_function(self.checked, core_schema.str_schema())

    def checked(self, name: str) -> str:
        """The name; raises what pydantic understands where no kind has it."""
        known = self.names()
        if name not in known:
            raise PydanticCustomError(
                "literal_error", "Input should be {expected}", {"expected": quoted_names(known)}
            )
        return name


@cache
def registered_in(file: Path, changed: int) -> set[str]:
    """The names in the decorators `@KINDS.kind("name", ...)` of a source that was `changed` at some time."""
    classes = [node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, ast.ClassDef)]
    calls = [call for cls in classes for call in cls.decorator_list if isinstance(call, ast.Call)]
    kinds = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "kind"]
    return {str(name.value) for call in kinds for name in call.args if isinstance(name, ast.Constant)}


def quoted_names(names: tuple[str, ...]) -> str:
    """Names as pydantic lists the values of a literal: `'a', 'b' or 'c'`."""
    quoted = [repr(name) for name in names]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


ENRICHMENTS = Kinds("enrichment", "methods.parts.enrichment")
FUSIONS = Kinds("fusion", "methods.parts.fusion")
POOLINGS = Kinds("pooling", "methods.parts.pooling")
INTERACTIONS = Kinds("interaction", "methods.parts.interaction")
PERTURBATIONS = Kinds("perturbation", "methods.parts.perturbation")
