"""One golden file: recorded tensors that are read as inputs or compared with ours.

The rule of agreement: integers exactly, NaN and infinities in the same places, and elsewhere
max|ours - reference| <= 1e-5 * max(1, max|reference|) over the tensor. Every tensor of a file must be
read, compared or skipped with a reason; what is left over makes the file fail.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.errors import BenchError

TOLERANCE = 1e-5
"""Allowed max|difference| / max(1, max|reference|)."""


@dataclass(frozen=True)
class Comparison:
    """One tensor compared with its recording."""

    name: str
    """Name in the file."""
    error: float
    """max|difference| / max(1, max|reference|); infinite where shapes, integers or NaN patterns differ."""
    allowed: float
    """Largest error that agrees; 0 for integers."""
    note: str = ""
    """What differs, where it is not a matter of size."""

    @property
    def agrees(self) -> bool:
        """Whether the tensor is reproduced."""
        return self.error <= self.allowed

    @property
    def severity(self) -> float:
        """Error over allowed error; what the worst tensor of a file is chosen by."""
        return self.error / self.allowed if self.allowed > 0 else (0.0 if self.error == 0 else math.inf)


class Golden:
    """A golden file that remembers what was done with each of its tensors.

    Raises `BenchError` naming the file where it cannot be read, or lacks a tensor or a metadata key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.comparisons: list[Comparison] = []
        """Every comparison so far, in order."""
        self.skipped: dict[str, str] = {}
        """Name -> reason of the tensors that are left out on purpose."""
        self._seen: set[str] = set()
        try:
            with safe_open(path, framework="pt") as file:
                self.meta: dict[str, str] = dict(file.metadata() or {})
                self._tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        except (SafetensorError, OSError) as error:
            raise BenchError(
                f"{path.name}: not a readable safetensors file ({error}); record it again"
            ) from error

    @property
    def kind(self) -> str:
        """What the file holds, e.g. `xpool.pooling`; empty where the metadata does not say."""
        return self.meta.get("kind", "")

    def names(self) -> list[str]:
        """All tensor names, sorted."""
        return list(self._tensors)

    def setting(self, key: str) -> str:
        """A metadata value; raises `BenchError` where it is missing."""
        if key not in self.meta:
            raise BenchError(f"{self.path.name}: missing metadata '{key}'")
        return self.meta[key]

    def number(self, key: str) -> float:
        """A metadata value as a number; raises `BenchError` where it is missing or not one."""
        value = self.setting(key)
        try:
            return float(value)
        except ValueError:
            raise BenchError(f"{self.path.name}: metadata '{key}' is '{value}', not a number") from None

    def integer(self, key: str) -> int:
        """A metadata value as an integer; raises `BenchError` where it is missing or not one."""
        value = self.number(key)
        if value != int(value):
            raise BenchError(f"{self.path.name}: metadata '{key}' is {value}, not an integer")
        return int(value)

    def input(self, name: str) -> Tensor:
        """A recorded tensor to compute with."""
        self._seen.add(name)
        return self._reference(name).clone()

    def inputs(self, prefix: str) -> dict[str, Tensor]:
        """All tensors whose name begins with `prefix`, by the rest of their name."""
        return {name[len(prefix) :]: self.input(name) for name in self.names() if name.startswith(prefix)}

    def endings(self, prefix: str) -> list[str]:
        """What follows `prefix` in the names that begin with it, sorted."""
        return [name.removeprefix(prefix) for name in self.names() if name.startswith(prefix)]

    def compare(
        self, name: str, ours: Tensor, *, atol: float | None = None, rows: Tensor | None = None
    ) -> None:
        """Holds `ours` against the recorded tensor `name`.

        `atol` replaces the tolerance (same scaling by max(1, max|reference|)); `rows`, a bool mask or an
        index of the leading axes, restricts that one comparison.
        """
        self._seen.add(name)
        reference = self._reference(name)
        ours = ours.detach()
        if ours.shape == reference.shape and rows is not None:
            ours, reference = ours[rows], reference[rows]
        self.comparisons.append(compared(name, ours, reference, TOLERANCE if atol is None else atol))

    def compare_mean(self, name: str, ours: Tensor, allowed: float) -> None:
        """Compares the mean absolute difference with `allowed`, in the tensor's unit, integers included."""
        self._seen.add(name)
        reference = self._reference(name).double()
        if ours.shape != reference.shape:
            self.comparisons.append(compared(name, ours, reference, allowed))
            return
        error = float((ours.double() - reference).abs().mean())
        self.comparisons.append(Comparison(name, math.inf if math.isnan(error) else error, allowed))

    def compare_relative(self, name: str, ours: Tensor, allowed: float) -> None:
        """Compares the Euclidean norm of the difference with a share of that of the recorded tensor."""
        self._seen.add(name)
        reference = self._reference(name).double()
        if ours.shape != reference.shape:
            self.comparisons.append(compared(name, ours, reference, allowed))
            return
        error = float((ours.double() - reference).norm() / reference.norm())
        self.comparisons.append(Comparison(name, math.inf if math.isnan(error) else error, allowed))

    def skip(self, name: str, reason: str) -> None:
        """Leaves a tensor out on purpose; the reason is kept."""
        self._reference(name)
        self._seen.add(name)
        self.skipped[name] = reason

    def untouched(self) -> list[str]:
        """Tensors neither read, compared nor skipped."""
        return [name for name in self.names() if name not in self._seen]

    def _reference(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise BenchError(f"{self.path.name}: missing tensor '{name}'")
        tensor: Tensor = self._tensors[name]
        return tensor


GoldenCheck = Callable[[Golden], None]
"""Reads what it needs from a golden file, computes, and compares."""


def compared(name: str, ours: Tensor, reference: Tensor, allowed: float = TOLERANCE) -> Comparison:
    """The comparison of two tensors under the rule of agreement (module docstring)."""
    if ours.shape != reference.shape:
        note = f"shape {tuple(ours.shape)}, recorded {tuple(reference.shape)}"
        return Comparison(name, math.inf, allowed, note)
    if not reference.is_floating_point():
        wrong = int((ours != reference).sum())
        return Comparison(name, math.inf if wrong else 0.0, 0.0, f"{wrong} integers differ" if wrong else "")
    ours, reference = ours.double(), reference.double()
    finite = reference.isfinite()
    same = (ours == reference) | (ours.isnan() & reference.isnan()) | (finite & ours.isfinite())
    if not bool(same.all()):
        return Comparison(name, math.inf, allowed, f"{int((~same).sum())} NaN or infinite entries differ")
    if not bool(finite.any()):
        return Comparison(name, 0.0, allowed)
    ours, reference = ours[finite], reference[finite]
    scale = max(1.0, float(reference.abs().max()))
    return Comparison(name, float((ours - reference).abs().max()) / scale, allowed)


def float_tensor(value: float) -> Tensor:
    """A Python number as a 0-d float64 tensor, for comparisons with recorded scalars."""
    return torch.tensor(value, dtype=torch.float64)
