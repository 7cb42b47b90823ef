"""Experiment files and flags -> cells: the product of the axes, one spec each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from core.errors import BenchError, unknown_name
from core.method import Method, find_method
from core.spec import Frozen, RunSpec, explain, parse_assignment, resolve

AXES: Mapping[str, str] = {
    "fusion": "config.fusion",
    "pooling": "config.pooling",
    "perturbation": "config.perturbation",
    "audio_encoder": "audio_encoder",
    "frames": "frames",
}
"""Axis on the command line -> key of the spec."""


class Block(Frozen):
    """Cells that are a full product of their axes."""

    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    fusion: tuple[str, ...] = ()
    pooling: tuple[str, ...] = ()
    perturbation: tuple[str, ...] = ()
    audio_encoder: tuple[str, ...] = ()
    frames: tuple[int, ...] = ()
    seeds: tuple[int, ...] = (0,)
    set: Mapping[str, Any] = {}
    """Dotted spec keys for every cell of the block."""


class Experiment(Frozen):
    """An experiment file: what it shows, and the union of its blocks."""

    title: str
    about: str = ""
    """What the experiment is to show, with paper, table and page where it has them."""
    blocks: tuple[Block, ...]


@dataclass
class Matrix:
    """The cells of an experiment and what was decided on the way."""

    cells: list[RunSpec] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """One line per axis that a method does not have."""


def has_axis(method: type[Method], axis: str) -> bool:
    """Whether a method has the part that an axis varies.

    A method has a fusion or a perturbation if its own default is not `none`, and an audio encoder
    if it fuses sound or enriches frames by it; every method has frames.
    """
    if axis == "frames":
        return True
    fields = method.Config.model_fields
    names = ("fusion", "enrichment") if axis == "audio_encoder" else (axis,)
    return any(name in fields and fields[name].default != "none" for name in names)


def expand(block: Block, *, strict: bool = False) -> Matrix:
    """The cells of a block. An axis multiplies only over methods that have the part.

    A method without the part runs once and a note says so; with `strict` (experiment files) it is a
    `BenchError`.
    """
    matrix = Matrix()
    for name in block.methods:
        method = find_method(name)
        given = {axis: getattr(block, axis) for axis in AXES if getattr(block, axis)}
        missing = [axis for axis in given if not has_axis(method, axis)]
        if missing and strict:
            raise BenchError(
                f"{name} has no {missing[0]}; leave it out of the block or take {missing[0]} out"
            )
        matrix.notes += [f"{name} has no {axis}: it runs once, without that axis" for axis in missing]
        axes = {AXES[axis]: values for axis, values in given.items() if axis not in missing}
        for dataset, *values, seed in product(block.datasets, *axes.values(), block.seeds):
            seeds = {f"seeds.{part}": seed for part in ("data", "initialisation", "noise")}
            overrides = {**dict(zip(axes, values, strict=True)), **seeds, **block.set}
            matrix.cells.append(resolve(name, dataset, overrides))
    return matrix


def union(matrices: Sequence[Matrix]) -> Matrix:
    """All cells once, in order of appearance."""
    cells = {cell.canonical(): cell for matrix in matrices for cell in matrix.cells}
    return Matrix(list(cells.values()), [note for matrix in matrices for note in matrix.notes])


def experiment_files() -> Mapping[str, Path]:
    """The shipped experiments by name."""
    folder = Path(__file__).parents[1] / "benchmarks"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_experiment(name: str) -> Experiment:
    """A shipped experiment by name, or a YAML file by path; raises `BenchError` for a bad one."""
    shipped = experiment_files()
    path = shipped.get(name) or Path(name)
    if not path.is_file():
        raise unknown_name("experiment", name, shipped)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Experiment.model_validate(content)
    except yaml.YAMLError as error:
        raise BenchError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise BenchError(f"{path.name}: {explain(error)}") from error


def from_command_line(name: str, flags: Mapping[str, Sequence[Any]], assignments: Sequence[str]) -> Matrix:
    """The cells of an experiment with the command line's axes and `--set key=value` over it.

    A flag replaces the axis of the same name in every block. Raises `BenchError` for unknown names.
    """
    given = {axis: tuple(values) for axis, values in flags.items() if values}
    changes = dict(parse_assignment(text) for text in assignments)
    blocks = [
        block.model_copy(update={**given, "set": {**block.set, **changes}})
        for block in load_experiment(name).blocks
    ]
    return union([expand(block, strict=not given) for block in blocks])
