"""A module as its syntax tree says it: what counts of its code, and what it imports.

Parsing a hundred modules takes seconds, so what was found of a file's content is kept in the cache.
"""

import ast
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from core.errors import BenchError
from core.paths import cache_root, written_whole

SYNTAX_VERSION = 1
"""Raised whenever the same code would give another digest."""
MEMORY = 5000
"""Modules that the cache remembers at most."""


@dataclass(frozen=True)
class Module:
    """What a file of code comes to."""

    digest: str
    """64 hexadecimal digits that comments, docstrings and formatting do not change."""
    imports: tuple[str, ...]
    """Names that it imports, relative ones with their dots; each a module or something in a module."""


@dataclass
class Modules:
    """Files of code by their content; remembers what it has read, also for other processes."""

    known: dict[str, Module] = field(default_factory=dict)
    """By the SHA-256 of the file."""
    grown: bool = False
    """Whether it knows more than the cache does."""

    @classmethod
    def remembered(cls) -> "Modules":
        """What earlier commands have read; nothing where the cache's file is missing or damaged."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            stored = json.loads(_file().read_text(encoding="utf-8"))
            if len(stored) <= MEMORY:
                return cls({key: Module(digest, tuple(names)) for key, (digest, names) in stored.items()})
        return cls()

    def remember(self) -> None:
        """Leaves what was read to later commands, where the cache can be written."""
        if self.grown:
            stored = {key: (module.digest, module.imports) for key, module in self.known.items()}
            with suppress(OSError), written_whole(_file()) as temporary:
                temporary.write_text(json.dumps(stored), encoding="utf-8")

    def read(self, path: Path) -> Module:
        """What a file comes to; raises `BenchError` where it does not parse."""
        content = path.read_bytes()
        key = sha256(content).hexdigest()
        if key not in self.known:
            self.known[key], self.grown = read_module(content, path), True
        return self.known[key]


def _file() -> Path:
    return cache_root() / f"code-{SYNTAX_VERSION}.json"


def read_module(content: bytes, path: Path) -> Module:
    """What the content of a file comes to; of a compiled one every byte counts."""
    if path.suffix != ".py":
        return Module(sha256(content).hexdigest(), ())
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise BenchError(f"{path} does not parse ({error}); fix it and run again") from error
    words: list[str] = []
    write(tree, words)
    return Module(sha256("\n".join(words).encode()).hexdigest(), tuple(dict.fromkeys(imports(tree))))


def write(node: object, words: list[str]) -> None:
    """Appends a syntax tree in words, which are the same in every version of Python.

    A string that stands alone documents a module, a class, a function or a field and is left out; so are
    empty fields, of which newer versions have more.
    """
    if isinstance(node, ast.AST):
        words.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != [] and name not in ("kind", "type_comment"):
                words.append(name)
                write(value, words)
        words.append(")")
    elif isinstance(node, list):
        for one in node:
            if not (isinstance(one, ast.Pass) or (isinstance(one, ast.Expr) and is_text(one.value))):
                write(one, words)
        words.append("]")
    else:
        words.append(repr(node))


def is_text(node: ast.AST) -> bool:
    """Whether an expression is a string."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def imports(tree: ast.AST) -> Iterator[str]:
    """Names that a module imports anywhere, also inside functions and by `import_module("NAME")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            yield source
            yield from (f"{source}{'' if source.endswith('.') else '.'}{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__"):
                named = (one.value for one in node.args[:1] if isinstance(one, ast.Constant))
                yield from (name for name in named if isinstance(name, str))
