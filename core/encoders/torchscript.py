"""Weights out of TorchScript archives, as OpenAI publishes CLIP in, without TorchScript.

Such an archive is a zip file that holds a pickle of the modules, a file per storage, and the modules'
code. `torch.jit.load` runs the code of `__setstate__`; here nothing is compiled or called. The pickle is
read with inert classes, and of the code only the lists of parameters and buffers are read, as text.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from core.pickles import ForbiddenName, InertUnpickler, PickleError

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
"""torch's storages by the name that a pickle gives them."""
LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")
"""How TorchScript pickles typed lists, in `torch.jit._pickle`."""
CODE = "__torch__"
"""Where every class of an archive begins."""
MODULES = 100_000
"""Modules of one archive beyond which it is no model: a pickle can refer to one module 2^100 times."""
DEPTH = 100
"""Modules inside one another, beyond which they contain themselves."""
EXPANSION = 2
"""How many times its size an archive may unpack to; its weights are stored uncompressed."""
SLACK = 2**26
"""Bytes of code that may unpack beyond that."""

CLASS = re.compile(
    r'^class (?P<name>\w+)\(Module\):\n(?:  __parameters__ = \[(?P<parameters>[\w", .]*)\]\n)?'
    r'(?:  __buffers__ = \[(?P<buffers>[\w", .]*)\]\n)?',
    re.MULTILINE,
)
"""How the code of a module begins."""
HOOK = re.compile(r"^class (?P<name>\w+)\b(?:(?!^class ).)*?^  def __setstate__\(", re.MULTILINE | re.DOTALL)
"""A class with code that loading would run."""


class StoredTensor(NamedTuple):
    """A tensor as the pickle describes it."""

    dtype: torch.dtype
    key: str
    """The file of its storage."""
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class ScriptObject:
    """An object of some class of the archive: attributes and no code."""

    kind = ("", "")
    """Module and name of its class."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise ForbiddenName(f"{'.'.join(self.kind)}.__setstate__")
        self.attributes = state


@dataclass(frozen=True)
class ScriptClass:
    """What the code of a module's class tells about its attributes."""

    tensors: frozenset[str] | None
    """Names of parameters and buffers; None: every tensor, in archives that torch < 1.7 saved."""


class _ScriptUnpickler(InertUnpickler):
    """The modules of an archive as `ScriptObject`s, their tensors as `StoredTensor`s."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._classes: dict[tuple[str, str], type[ScriptObject]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Inert stand-ins; bound methods and built-in types, because a pickle can set attributes."""
        kind = (module, name)
        if module == CODE or module.startswith(f"{CODE}."):
            return self._classes.setdefault(kind, type(name, (ScriptObject,), {"kind": kind}))
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if module == "torch.jit._pickle" and name in LISTS:
            return list
        known: Mapping[tuple[str, str], Any] = {
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch.jit._pickle", "restore_type_tag"): self._untagged,
            ("collections", "OrderedDict"): dict,
            ("torch", "device"): self._nothing,
        }
        return known[kind] if kind in known else super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """`(dtype, key)` of a storage, from `("storage", dtype, key, device, elements)`."""
        if isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage" and isinstance(pid[2], str):
            return pid[1], pid[2]
        return super().persistent_load(pid)

    def _tensor(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> StoredTensor:
        dtype, key = storage
        numbers = (offset, *size, *stride)
        if not isinstance(dtype, torch.dtype) or not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
            raise PickleError("it describes a tensor of no shape")
        return StoredTensor(dtype, key, offset, tuple(size), tuple(stride))

    def _untagged(self, value: Any, _: Any) -> Any:
        return value

    def _nothing(self, *_: Any) -> None:
        """A value that no weight depends on."""


@dataclass
class ScriptArchive:
    """An open TorchScript archive."""

    archive: zipfile.ZipFile
    root: str
    """What every name in it begins with."""
    most: int
    """Bytes that a tensor of it may have."""
    storages: dict[str, Tensor] = field(default_factory=dict)
    """Bytes of the storages that were read, by key; tensors may share one."""

    def classes(self) -> dict[tuple[str, str], ScriptClass]:
        """The classes of modules by module and name; raises `ForbiddenName` for code that loading runs."""
        found = {}
        prefix = f"{self.root}code/"
        for name in self.archive.namelist():
            if not name.startswith(prefix) or not name.endswith(".py"):
                continue
            module = name.removeprefix(prefix).removesuffix(".py").replace("/", ".")
            text = self.archive.read(name).decode("utf-8")
            if hook := HOOK.search(text):
                raise ForbiddenName(f"{module}.{hook['name']}.__setstate__")
            for match in CLASS.finditer(text):
                known = match["buffers"] is not None
                named = re.findall(r'"([^"]*)"', f"{match['parameters']} {match['buffers']}")
                found[module, match["name"]] = ScriptClass(frozenset(named) if known else None)
        return found

    def tensor(self, stored: StoredTensor) -> Tensor:
        """A tensor of the pickle; raises `PickleError` or `RuntimeError` where its storage is too short."""
        if prod(stored.size) * stored.dtype.itemsize > self.most:
            raise PickleError(f"it describes a tensor of shape {list(stored.size)}, larger than the file")
        if stored.key not in self.storages:
            content = bytearray(self.archive.read(f"{self.root}data/{stored.key}"))
            self.storages[stored.key] = (
                torch.frombuffer(content, dtype=torch.uint8) if content else torch.empty(0, dtype=torch.uint8)
            )
        return self.storages[stored.key].view(stored.dtype).as_strided(*stored[3:], stored.offset)


def is_script(path: Path) -> bool:
    """Whether a file is a TorchScript archive, which holds code beside its weights."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())


def check_expansion(path: Path) -> None:
    """Raises `PickleError` for an archive that unpacks to far more than it holds."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > most_bytes(path):
            raise PickleError(f"it unpacks from {path.stat().st_size:,} to {unpacked:,} bytes")


def most_bytes(path: Path) -> int:
    """How many bytes the content of a file of weights may have."""
    return EXPANSION * path.stat().st_size + SLACK


def read_script(path: Path) -> dict[str, Tensor]:
    """The parameters and buffers of a TorchScript archive, as its `state_dict` would name them.

    Raises `ForbiddenName` for code that loading would run and for names that are none of the archive's
    classes, `PickleError` or what `zipfile` and torch raise for damage.
    """
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise PickleError("it holds no data.pkl")
        opened = ScriptArchive(archive, pickles[0].removesuffix("data.pkl"), most_bytes(path))
        order = f"{opened.root}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise PickleError("it was saved on a big-endian machine")
        classes = opened.classes()
        module = _ScriptUnpickler(archive.read(pickles[0])).read()
        return {name: opened.tensor(stored) for name, stored in _named(module, classes)}


def _named(module: Any, classes: Mapping[tuple[str, str], ScriptClass]) -> Iterator[tuple[str, StoredTensor]]:
    """The tensors of a module and of the modules in it, under their dotted names."""
    waiting = [("", module, 0)]
    for _ in range(MODULES):
        if not waiting:
            return
        prefix, found, depth = waiting.pop()
        if depth > DEPTH:
            raise PickleError("its modules contain themselves")
        if not isinstance(found, ScriptObject) or not hasattr(found, "attributes"):
            raise PickleError("it describes no module")
        known = classes.get(found.kind)
        tensors = None if known is None else known.tensors
        for name, value in found.attributes.items():
            if not isinstance(name, str):
                raise PickleError("it describes an attribute without a name")
            if isinstance(value, StoredTensor) and (tensors is None or name in tensors):
                yield f"{prefix}{name}", value
            elif isinstance(value, ScriptObject) and value.kind in classes:
                waiting.append((f"{prefix}{name}.", value, depth + 1))
    raise PickleError(f"it describes more than {MODULES:,} modules")
