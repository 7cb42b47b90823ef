"""Blocks and flags -> cells: product, zip, one change at a time, exclusion, union; one spec each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from core.errors import BenchError, unknown_name
from core.method import find_method
from core.running.axes import AXES, has_axis, refuse_idle
from core.running.experiment import Block, load_experiment
from core.spec import RunSpec, dotted, parse_assignment, resolve


@dataclass
class Matrix:
    """The cells of an experiment and what was decided on the way."""

    cells: list[RunSpec] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """One line per axis that a method does not have."""


def expand(block: Block, assignments: Mapping[str, Any] | None = None, *, strict: bool = False) -> Matrix:
    """The cells of a block, `assignments` (dotted keys) over all of them.

    An axis multiplies only over methods that have the part: a method without it runs once and a note
    says so. With `strict` (an experiment file as it is) that is a `BenchError`, as is every key that has
    no effect in a cell and an exclusion that excludes nothing.
    """
    matrix = Matrix()
    for name in block.methods:
        method = find_method(name)
        given = {axis: getattr(block, axis) for axis in AXES if getattr(block, axis)}
        missing = [axis for axis in given if not strict and not has_axis(method, axis)]
        matrix.notes += [f"{name} has no {axis}: it runs once, without that axis" for axis in missing]
        axes = {AXES[axis]: values for axis, values in given.items() if axis not in missing}
        for dataset in block.datasets:
            for keys in combinations({**axes, **block.product}, block):
                matrix.cells.append(resolve(name, dataset, {**keys, **(assignments or {})}))
    kept = [cell for cell in matrix.cells if not any(agrees(cell, entry) for entry in block.exclude)]
    if strict:
        check(block, matrix.cells, kept)
    return Matrix(kept, matrix.notes)


def check(block: Block, cells: Sequence[RunSpec], kept: Sequence[RunSpec]) -> None:
    """Raises `BenchError` for an exclusion that matches no cell, or a key without effect in a kept one."""
    for entry in block.exclude:
        if not any(agrees(cell, entry) for cell in cells):
            raise BenchError(f"exclude {dict(entry)} matches no cell; take it out")
    parts = [key for key in block.set if key in AXES.values()]
    for cell in kept:
        refuse_idle(cell, [*block.varied(), *parts])


def combinations(axes: Mapping[str, Sequence[Any]], block: Block) -> Iterator[dict[str, Any]]:
    """Dotted keys per cell of a method on a data set, in the order of precedence that `Block` names."""
    tied = [dict(zip(block.zip, values, strict=True)) for values in zip(*block.zip.values(), strict=True)]
    for *values, together, change, seed in product(
        *axes.values(), tied or [{}], ({}, *block.change), block.seeds
    ):
        seeds = {f"seeds.{part}": seed for part in ("data", "initialisation", "noise")}
        yield {**dict(zip(axes, values, strict=True)), **together, **seeds, **block.set, **change}


def agrees(cell: RunSpec, pattern: Mapping[str, Any]) -> bool:
    """Whether a cell has all the values of a pattern of dotted keys, `method` and `dataset` included.

    Raises `BenchError` for a key that the cell does not have.
    """
    values = dotted(cell)
    for key, value in pattern.items():
        if key not in values:
            raise unknown_name(f"key of a cell of {cell.method}", key, values)
        if values[key] != value:
            return False
    return True


def union(matrices: Sequence[Matrix]) -> Matrix:
    """All cells once, in order of appearance."""
    cells = {cell.canonical(): cell for matrix in matrices for cell in matrix.cells}
    return Matrix(list(cells.values()), [note for matrix in matrices for note in matrix.notes])


def with_flags(block: Block, flags: Mapping[str, tuple[Any, ...]]) -> Block:
    """The block with the command line's axes in the place of its own.

    Raises `BenchError` for an axis that the block ties to another key.
    """
    keys = {AXES[axis] for axis in flags if axis in AXES}
    if tied := sorted(keys & set(block.zip)):
        others = ", ".join(key for key in block.zip if key != tied[0])
        raise BenchError(f"this experiment ties {tied[0]} to {others} (zip); write a file of your own")
    changes = tuple(without(change, keys) for change in block.change)
    return block.model_copy(update={**flags, "set": without(block.set, keys), "change": changes})


def without(values: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The mapping less some keys."""
    return {key: value for key, value in values.items() if key not in keys}


def from_command_line(name: str, flags: Mapping[str, Sequence[Any]], assignments: Sequence[str]) -> Matrix:
    """The cells of an experiment with the command line's axes and `--set key=value` over it.

    A flag replaces the axis of the same name in every block. Raises `BenchError` for unknown names; where
    the file alone is at fault the line begins with its name.
    """
    given = {axis: tuple(values) for axis, values in flags.items() if values}
    changes = dict(parse_assignment(text) for text in assignments)
    blocks = [with_flags(block, given) for block in load_experiment(name).blocks]
    try:
        matrix = union([expand(block, changes, strict=not given) for block in blocks])
    except BenchError as error:
        if given or changes:
            raise
        raise BenchError(f"{name}: {error}") from error
    if not matrix.cells:
        raise BenchError(f"{name} has no cells: it has no block, or an empty axis, or excludes every cell")
    return matrix
