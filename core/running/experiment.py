"""Experiment files: what an experiment shows, what it is compared with, and the blocks of its matrix."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, get_args

import yaml
from pydantic import BaseModel, ValidationError, model_validator

from core.assignments import parse_values
from core.datasets import registered_datasets
from core.errors import BenchError, unknown_name
from core.plain import check_plain
from core.ranges import with_ranges
from core.refused import refusal
from core.registry import registered_methods
from core.running.axes import all_axes, whole_axes, whole_numbers
from core.spec import Frozen
from core.titles import called

EXAMPLES: Mapping[str, str] = {
    "title": "title: My comparison",
    "blocks": "blocks: [{methods: [gaid], datasets: [avworld]}]",
    "methods": "methods: [gaid, tmass]",
    "datasets": "datasets: [avworld]",
    "product": "product: {config.alpha: [0.25, 0.5]}",
    "zip": "zip: {frames: [12, 24], training.batch_size: [64, 32]}",
    "set": "set: {training.epochs: 12}",
    "change": "change: [{config.alpha: 0.25}]",
    "exclude": "exclude: [{frames: 12, seeds.data: 1}]",
    "source": 'source: {paper: "GAID, arXiv 2508.01711v1", place: Table 1}',
    "published": 'published: [{source_paper: "GAID arXiv:2508.01711v1", table: "1"}]',
    "paper": 'paper: "GAID, arXiv 2508.01711v1"',
    "place": "place: Table 1",
}
"""How the keys of an experiment file are written."""
EXPERIMENT_LIMIT = 1_000_000
"""Bytes of an experiment file."""


class Source(Frozen):
    """Where an experiment was published."""

    paper: str
    """Short name and number, e.g. `GAID, arXiv 2508.01711v1`."""
    place: str
    """Table, figure or section."""


class PublishedRows(Frozen):
    """Rows of reports/published.csv by the values of its columns; what is not given may be anything."""

    source_paper: str
    table: str
    method: str | None = None
    """As the paper prints it."""
    dataset: str | None = None
    """As the paper prints it."""

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the file is one of these."""
        columns = self.model_dump(exclude_none=True)
        return all(str(row[column]) == value for column, value in columns.items())


class Block(Frozen):
    """Cells that are the product of all axes, less what is excluded.

    Beside these keys a block may name any axis (`fusion: [none, frame]`, see `bench run --help`) and any
    dotted key of the spec (`config.alpha: [0.25, 0.5]`) with the list of its values. One value needs no
    brackets, and where whole numbers are wanted `0-4` are all from 0 to 4. A cell's keys, later wins: axes,
    `product`, `zip`, `set`, `change`, the command line's `--set`.
    """

    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    axes: Mapping[str, tuple[Any, ...]] = {}
    """The values of axes by name; collected from the block's own keys."""
    product: Mapping[str, tuple[Any, ...]] = {}
    """Further keys to sweep, by dotted spec key; the block's own dotted keys are collected here."""
    zip: Mapping[str, tuple[Any, ...]] = {}
    """Dotted spec keys that move together, with as many values each."""
    set: Mapping[str, Any] = {}
    """Dotted spec keys for every cell of the block: the base."""
    change: tuple[Mapping[str, Any], ...] = ()
    """Beside each cell as it is, one more per entry with these dotted spec keys changed."""
    exclude: tuple[Mapping[str, Any], ...] = ()
    """Cells that are left out: those that agree with all dotted keys of an entry."""

    @model_validator(mode="before")
    @classmethod
    def collect(cls, given: Any) -> Any:
        """Gathers the axes and the dotted keys that the block itself names, each with a list of values."""
        if not isinstance(given, dict):
            return given
        names = all_axes()
        given = block_in_full(given, names)
        axes = {key: values for key, values in given.items() if key in names and key not in cls.model_fields}
        dotted = {key: values for key, values in given.items() if "." in str(key)}
        if twice := sorted(dotted.keys() & dict(given.get("product", {})).keys()):
            raise ValueError(f"'{twice[0]}' is given twice")
        left = {key: value for key, value in given.items() if key not in axes and key not in dotted}
        own = {"axes": {**left.get("axes", {}), **axes}, "product": {**left.get("product", {}), **dotted}}
        return left | {key: value for key, value in own.items() if value}

    @model_validator(mode="after")
    def check(self) -> Self:
        """Every key has one place, and what moves together is of one length."""
        names = all_axes()
        keys = [key for name in self.axes for key in {field.key for field in names[name]}]
        given = [*keys, *self.product, *self.zip, *self.set]
        if twice := next((key for key in given if given.count(key) > 1), None):
            raise ValueError(f"'{twice}' is given twice")
        if len({len(values) for values in self.zip.values()}) > 1:
            raise ValueError("the lists under zip differ in length")
        return self

    def varied(self) -> list[str]:
        """The dotted spec keys in which cells of this block are meant to differ, its axes apart."""
        changed = [key for change in self.change for key in change]
        return list(dict.fromkeys([*self.product, *self.zip, *changed]))


def block_in_full(given: Mapping[str, Any], axes: Container[str]) -> dict[str, Any]:
    """A block in which one value is a list of one, ranges are spelt out and names are as they are registered.

    Raises `ValueError` for a range that is none.
    """
    swept = {
        key: as_list(values)
        for key, values in given.items()
        if key in ("methods", "datasets") or key in axes or "." in str(key)
    }
    parts = {
        part: {key: as_list(values) for key, values in given[part].items()}
        for part in ("product", "zip")
        if isinstance(given.get(part), dict)
    }
    whole = whole_axes() | whole_numbers()
    try:
        spelt = {part: in_full(keys, whole) for part, keys in parts.items()}
        found = {**given, **in_full(swept, whole), **spelt}
    except BenchError as error:
        raise ValueError(str(error)) from error
    titles = {name: method.title for name, method in registered_methods().items()}
    for key, known in (("methods", titles), ("datasets", {name: name for name in registered_datasets()})):
        if isinstance(found.get(key), tuple):
            found[key] = tuple(
                called(name, known, known) if isinstance(name, str) else name for name in found[key]
            )
    return found


def as_list(values: Any) -> Any:
    """The values of a key: text with commas as on the command line, one value as a list of one."""
    if isinstance(values, str):
        return parse_values(values)
    return (values,) if isinstance(values, int | float) else values


def in_full(keys: Mapping[str, Any], whole: Container[str]) -> dict[str, Any]:
    """The values of some keys with all numbers of their ranges; what is no list is left as it is."""
    lists = {key: tuple(values) for key, values in keys.items() if isinstance(values, list | tuple)}
    return {**keys, **with_ranges(lists, whole, "{}:")}


class Experiment(Frozen):
    """An experiment file: what it shows, and the union of its blocks."""

    title: str
    about: str = ""
    """What the experiment is to show."""
    source: Source | None = None
    """The table or figure that it repeats."""
    published: tuple[PublishedRows, ...] = ()
    """What its cells are compared with."""
    laptop: str | None = None
    """The experiment that asks the same of the embedded world."""
    blocks: tuple[Block, ...]


def experiment_files() -> Mapping[str, Path]:
    """The shipped experiments by name."""
    folder = Path(__file__).parents[2] / "benchmarks"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_experiment(name: str) -> Experiment:
    """A shipped experiment by name, or a YAML file by path; raises `BenchError` for a bad one."""
    shipped = experiment_files()
    path = shipped.get(name) or Path(name)
    if not path.is_file():
        raise unknown_name("experiment", name, shipped)
    content = read_yaml(path)
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"is a {'list' if isinstance(content, list) else 'text'}"
        raise BenchError(
            f"{path.name} {found}; it takes the keys title and blocks, as benchmarks/default.yaml"
        )
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        raise BenchError(f"{path.name}: {explain_key(error)}") from error


def read_yaml(path: Path) -> Any:
    """The plain values of a YAML file; raises `BenchError` for one that is damaged or holds others."""
    try:
        if path.stat().st_size > EXPERIMENT_LIMIT:
            raise BenchError(f"{path.name}: more than {EXPERIMENT_LIMIT:,} bytes; is this the right file?")
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=OneValuePerKey)
    except RecursionError as error:
        raise BenchError(f"{path.name} is not YAML: too deeply nested") from error
    except (yaml.YAMLError, OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        # Beside its own errors PyYAML raises whatever `int`, `date` or `dict` say of a wrong value.
        raise BenchError(f"{path.name} is not YAML: {yaml_mistake(error)}") from error
    try:
        check_plain(content)
    except ValueError as error:
        raise BenchError(f"{path.name}: {error}") from error
    return content


def yaml_mistake(error: Exception) -> str:
    """What PyYAML says of a file, in one line with the number of the line in the file."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


class OneValuePerKey(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the base; raises `ConstructorError` at the second of two equal keys."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    problem="a key is a list or a mapping", problem_mark=key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"'{key.value}' stands twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def explain_key(error: ValidationError) -> str:
    """One mistake in one line: an unknown key, with its place and the nearest right one, before others.

    A key that is spelt wrong makes two mistakes, for the right one is missing then.
    """
    unknown = next((found for found in error.errors() if found["type"] == "extra_forbidden"), None)
    if unknown is None:
        return refusal(error, place_in_words, examples=EXAMPLES)
    *place, key = unknown["loc"]
    where = place_in_words(place).removesuffix(":")
    model = model_at(Experiment, place)
    known = {*model.model_fields, *(all_axes() if model is Block else ())} - {"axes"}
    kind = f"key in {where}" if where else "key"
    return str(unknown_name(kind, str(key), known, "bench run --help, and benchmarks/*.yaml for examples"))


def place_in_words(place: Sequence[int | str]) -> str:
    """Where something stands in an experiment file, as its author wrote it.

    >>> place_in_words(["blocks", 0, "axes", "seeds"]), place_in_words(["blocks", 1])
    ('block 1: seeds', 'block 2:')
    """
    parts, key = list(place), ""
    if parts[:1] == ["blocks"] and len(parts) > 1:
        _, number, *parts = parts
        key = f"block {int(number) + 1}:"
        if len(parts) > 1 and parts[0] in ("axes", "product"):
            del parts[0]
    for part in parts:
        if isinstance(part, int):
            key += f" entry {part + 1}"
        else:
            key += f"{' ' if key else ''}{part}"
    return key


def model_at(model: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel]:
    """The model that stands at a place of a nested one, e.g. `Block` at `("blocks", 0)`."""
    for field in (part for part in place if isinstance(part, str)):
        annotation = model.model_fields[field].annotation
        model = next(m for m in get_args(annotation) if isinstance(m, type) and issubclass(m, BaseModel))
    return model
