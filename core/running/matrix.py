"""Blocks and flags -> cells: product, zip, one change at a time, exclusion, union; one spec each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from core.assignments import parse_value, sweeps
from core.errors import BenchError, unknown_name
from core.ranges import with_ranges
from core.resolving import known_keys, resolve
from core.running.axes import all_axes, axes_of, check_value, has_axis, idle_keys, whole_numbers
from core.running.experiment import Block, load_experiment
from core.spec import RunSpec, dotted

Keys = Mapping[str, Any]
"""Values by dotted key."""


@dataclass
class Matrix:
    """The cells of an experiment and what was decided on the way."""

    cells: list[RunSpec] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """One line per axis that a method does not have, and per key that has no effect."""


def expand(
    block: Block, assignments: Mapping[str, tuple[Any, ...]] | None = None, *, strict: bool = False
) -> Matrix:
    """The cells of a block, once per combination of the `assignments`, which win over the block's keys.

    An axis multiplies only over methods that have the part: a method without it runs once and a note
    says so. A key that has no effect in a cell is left at its default there, with a note. With `strict` (an
    experiment file as it is) both are a `BenchError` where the block asks for them, as is an exclusion that
    excludes nothing.
    """
    swept = dict(assignments or {})
    pairs = list(product(block.methods, block.datasets))
    known = {key for pair in pairs for key in known_keys(*pair)}
    matrix = Matrix()
    for pair in pairs:
        given = {key: values for key, values in swept.items() if key in known_keys(*pair) or key not in known}
        matrix.notes += [f"{pair[0]} has no {key}: it runs without that key" for key in swept.keys() - given]
        axes, notes = axes_in(block, *pair, given, strict=strict)
        matrix.notes += notes
        for keys in combinations(axes, block):
            for values in product(*given.values()):
                change = dict(zip(given, values, strict=True))
                cell, notes = settled(*pair, keys, change, strict=strict)
                matrix.cells.append(cell)
                matrix.notes += notes
    kept = [cell for cell in matrix.cells if not any(agrees(cell, entry) for entry in block.exclude)]
    if strict:
        check_block(block, matrix.cells, kept)
    return union([Matrix(kept, matrix.notes)])


def axes_in(
    block: Block, method: str, dataset: str, swept: Mapping[str, tuple[Any, ...]], *, strict: bool
) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
    """The block's axes by dotted key, those left out that a method does not have; and a note per such axis.

    Raises `BenchError` for one of them with `strict`.
    """
    known = axes_of(method, dataset)
    fixed = {**block.set, **{key: values[0] for key, values in swept.items() if len(values) == 1}}
    keys = {field.key for field in known.values()}
    default = resolve(method, dataset, {key: value for key, value in fixed.items() if key not in keys})
    cell = resolve(method, dataset, fixed)
    lost = [name for name in block.axes if name not in known or not has_axis(known[name], default, cell)]
    if lost and strict:
        raise BenchError(f"{method} has no {lost[0]}; leave it out of the block or take {lost[0]} out")
    notes = [f"{method} has no {name}: it runs once, without that axis" for name in lost]
    return {known[name].key: values for name, values in block.axes.items() if name not in lost}, notes


def settled(
    method: str, dataset: str, keys: Keys, change: Keys, *, strict: bool
) -> tuple[RunSpec, list[str]]:
    """A cell without the keys that have no effect in it, and a note for each; with `strict` only `change`."""
    cell = resolve(method, dataset, {**keys, **change})
    idle = idle_keys(cell, change if strict else {**keys, **change})
    if not idle:
        return cell, []
    notes = [f"{method} {why}: {key} has no effect and is left as it is" for key, why in idle.items()]
    left = {key: value for key, value in {**keys, **change}.items() if key not in idle}
    return resolve(method, dataset, left), notes


def check_block(block: Block, cells: Sequence[RunSpec], kept: Sequence[RunSpec]) -> None:
    """Raises `BenchError` for an exclusion that matches no cell, or a key without effect in a kept one."""
    for entry in block.exclude:
        if not any(agrees(cell, entry) for cell in cells):
            raise BenchError(f"exclude {dict(entry)} matches no cell; take it out")
    for cell in kept:
        axes = {field.key: field for field in axes_of(cell.method, cell.dataset).values()}
        plain = {key: value for key, value in block.set.items() if key not in axes}
        default = resolve(cell.method, cell.dataset, plain)
        named = [key for key, axis in axes.items() if axis.axis_name in block.axes or key in block.set]
        varied = [*named, *block.varied()]
        for key in varied:
            if key in axes and not any(has_axis(axes[key], default, seen) for seen in (default, cell)):
                raise BenchError(
                    f"{cell.method} has no {axes[key].axis_name}; leave it out of the block or take {key} out"
                )
        for key, why in idle_keys(cell, varied).items():
            raise BenchError(
                f"{cell.method} {why}: {key} has no effect; exclude this combination or take the key out"
            )


def combinations(axes: Mapping[str, Sequence[Any]], block: Block) -> Iterator[dict[str, Any]]:
    """Dotted keys per cell of a method on a data set, in the order of precedence that `Block` names."""
    tied = [dict(zip(block.zip, values, strict=True)) for values in zip(*block.zip.values(), strict=True)]
    varied = {**axes, **block.product}
    for *values, together, change in product(*varied.values(), tied or [{}], ({}, *block.change)):
        yield {**dict(zip(varied, values, strict=True)), **together, **block.set, **change}


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
    """All cells and notes once, in order of appearance."""
    cells = {cell.canonical(): cell for matrix in matrices for cell in matrix.cells}
    return Matrix(list(cells.values()), list(dict.fromkeys(n for matrix in matrices for n in matrix.notes)))


def with_flags(block: Block, flags: Mapping[str, tuple[Any, ...]]) -> Block:
    """The block with the command line's axes in the place of its own.

    Raises `BenchError` for an axis that the block ties to another key.
    """
    axes = all_axes()
    keys = {field.key for name in flags for field in axes[name]} - {"method", "dataset"}
    if tied := sorted(keys & set(block.zip)):
        others = ", ".join(key for key in block.zip if key != tied[0])
        raise BenchError(f"this experiment ties {tied[0]} to {others} (zip); write a file of your own")
    fields = {name: values for name, values in flags.items() if name in Block.model_fields}
    own = {**block.axes, **{name: values for name, values in flags.items() if name not in fields}}
    left = {
        "product": without(block.product, keys),
        "set": without(block.set, keys),
        "change": tuple(without(change, keys) for change in block.change),
    }
    return block.model_copy(update={**fields, "axes": own, **left})


def without(values: Keys, keys: Iterable[str]) -> dict[str, Any]:
    """The mapping less some keys."""
    return {key: value for key, value in values.items() if key not in keys}


def from_command_line(
    name: str,
    flags: Mapping[str, Sequence[Any]],
    assignments: Sequence[str],
    implied: Sequence[str] = (),
) -> Matrix:
    """The cells of an experiment with the command line's axes and `--set key=value` over it.

    A flag replaces the axis of the same name in every block; flags and assignments win over what another
    option has `implied`. Raises `BenchError` for unknown names; where
    the file alone is at fault the line begins with its name.
    """
    given = {axis: checked(axis, values) for axis, values in flags.items() if values}
    named = {field.key for axis in given.keys() - Block.model_fields.keys() for field in all_axes()[axis]}
    changes = {**without(sweeps(implied), named), **with_ranges(sweeps(assignments), whole_numbers())}
    check_once(given, changes)
    for key in ("method", "methods", "dataset", "datasets"):
        if key in changes:
            option = f"--{key.removesuffix('s')}s"
            raise BenchError(f"--set takes no {key}; write {option} {','.join(map(str, changes[key]))}")
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


def checked(axis: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """The values of a flag; raises `BenchError` for one that its axis does not have."""
    option = "--" + axis.replace("_", "-")
    read = tuple(parse_value(value, option) if isinstance(value, str) else value for value in values)
    if axis in Block.model_fields:
        return tuple(map(str, values))
    axes = all_axes()
    if axis not in axes:
        raise unknown_name("axis", axis, axes)
    for value in read:
        check_value(axis, axes[axis], value)
    return read


def check_once(flags: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Raises `BenchError` for a key that a flag and `--set` both name."""
    axes = all_axes()
    for axis in flags.keys() - Block.model_fields.keys():
        if twice := sorted({field.key for field in axes[axis]} & changes.keys()):
            option = "--" + axis.replace("_", "-")
            raise BenchError(f"{twice[0]} is given twice, by {option} and by --set; keep one of them")
