"""From what a user sets to the complete spec of a cell: the layers of defaults, and every key that exists.

Precedence, later wins: the defaults of the records in `core.spec`, with `recipe=authors` what fields declare
as `Released`, the method's recipe, what the authors set for the data set, the data set's recipe (small worlds
need other rates), the command line's axes, `--set`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from core.axes import Declared, Released, SmallWorld, declared, marked_values, sided
from core.config import MethodConfig
from core.datasets import find_dataset
from core.errors import BenchError, unknown_name
from core.plugin_errors import blamed
from core.registry import find_method
from core.spec import NESTED, RunSpec, Seeds, explain


def fields_of(method: str, dataset: str) -> dict[str, Declared]:
    """Every dotted key that a spec of that method on that data set takes, and what its field declares."""
    parts = {"config": find_method(method).Config, "data": find_dataset(dataset).options}
    return declared({"": RunSpec, **NESTED, **parts})


def known_keys(method: str, dataset: str) -> set[str]:
    """Every dotted key that can be set for a method on a data set; not those that make the cell."""
    return fields_of(method, dataset).keys() - {"method", "dataset", "trained_on"}


def layers(method: str, dataset: str, recipe: str = "ours") -> Iterator[Mapping[str, Any]]:
    """The defaults of a method on a data set, weakest first, as dotted keys."""
    cls, data, fields = find_method(method), find_dataset(dataset), fields_of(method, dataset)
    released = recipe == "authors"
    if released:
        yield marked_values(fields, Released)
    authors = sided(cls.recipe, released=released)
    yield {key: value for key, value in authors.items() if "@" not in key}
    # A data set speaks to all methods; a key of a part that this method lacks does not concern it.
    yield {key: value for key, value in data.recipe.items() if not key.startswith("config.") or key in fields}
    if data.small:
        yield marked_values(fields, SmallWorld)
    # what a method says of this very data set
    yield {key.partition("@")[0]: value for key, value in authors.items() if key.endswith(f"@{dataset}")}


def config_of(method: str, values: Mapping[str, Any]) -> MethodConfig:
    """A method's configuration; raises pydantic's `ValidationError` for a value that it does not take."""
    cls = find_method(method)
    with blamed(cls, "its Config"):
        try:
            return cls.Config(**values)
        except ValidationError as error:
            refused = error
    raise refused


def resolve(method: str, dataset: str, overrides: Mapping[str, Any]) -> RunSpec:
    """The complete spec of a cell; `overrides` are dotted keys and win over every default.

    Raises `BenchError` for an unknown key (with the nearest right one) or a value out of range.
    """
    known = known_keys(method, dataset)
    implied = "authors" if overrides.get("checkpoint") else "ours"
    recipe = overrides.get("recipe", implied)
    nested: dict[str, dict[str, Any]] = {part: {} for part in ("", "config", "data", *NESTED)}
    for layer in (*layers(method, dataset, recipe), {"recipe": recipe}, overrides):
        # A whole part comes first, so that a key of it can still be set apart.
        for key, value in sorted(layer.items(), key=lambda item: item[0] not in NESTED):
            if key not in known:
                where = f"bench methods --keys {method}"
                raise unknown_name(f"key of {method} on {dataset}", key, known, where)
            part, _, name = key.rpartition(".")
            nested[part] |= {name: value}
            if key == "seeds":
                nested["seeds"] |= dict.fromkeys(Seeds.model_fields, nested[""].pop("seeds"))
    try:
        config = config_of(method, nested["config"])
        data = find_dataset(dataset).options(**nested["data"])
        plain = {part: nested[part] for part in NESTED} | nested[""]
        return RunSpec(
            method=method,
            dataset=dataset,
            config=config.model_dump(mode="json"),
            data=data.model_dump(mode="json"),
            **plain,
        )
    except ValidationError as error:
        raise BenchError(f"{method} on {dataset}: {explain(error)}") from error
