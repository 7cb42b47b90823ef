"""`bench methods`: which methods there are, and every key that `--set` takes."""

import json as as_json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any

import typer
from rich.markup import escape

from core.cli import names, shell
from core.cli.axis_options import sources_of_answers
from core.cli.render import WholeTable
from core.cli.shell import AsJson, one_line_errors
from core.errors import BenchError
from core.remembered import remembered

HOW_TO_SET = (
    "--set KEY=A,B sweeps a key; of whole numbers 0-4 are all from 0 to 4; a list is JSON in quotes, "
    """e.g. --set evaluation.splits='["test", "val"]'; null is no value"""
)
"""How `--set` takes values, said under the keys."""


@one_line_errors
def methods_(
    method: Annotated[
        str | None, typer.Argument(help="With --keys: the method whose keys are listed.")
    ] = None,
    keys: Annotated[
        bool,
        typer.Option("--keys", help="List every key of --set: values, default, released value, meaning."),
    ] = False,
    json: AsJson = False,
) -> None:
    """List the methods with their parts, axes and papers, or every key that `--set` takes.

    Example: bench methods --keys gaid
    """
    if method:
        method = names.methods_named([method])[0]
    if keys:
        from core.keys import all_keys, keys_of

        found = {method: keys_of(method)} if method else all_keys()
        if json:
            shell.answer({name: [vars(key) for key in own] for name, own in found.items()})
            return
        for table in key_tables(found):
            shell.console.print(table)
        shell.console.print(HOW_TO_SET, markup=False, highlight=False)
        return
    if method:
        raise BenchError(f"what about {method}? bench methods --keys {method} lists its keys")
    rows, broken = methods_and_broken()
    if json:
        shell.answer([*rows, *shell.broken_records(broken)])
        return
    table = WholeTable("name", "title", "parts", "axes", "paper")
    for row in rows:
        parts, axes = " · ".join(row["parts"].values()), " ".join(row["axes"])
        table.add_row(row["name"], row["title"], parts, axes, row["paper"])
    shell.console.print(table)
    shell.broken(broken)


def methods_and_broken() -> tuple[list[dict[str, Any]], dict[str, str]]:
    """`method_overview`, and why other methods cannot be used, by name.

    Both are kept until a source changes, so that no method is imported for them. Where a method is broken
    they are found anew: what it lacks may be installed by now.
    """

    @cache
    def ask() -> dict[str, Any]:
        from core.registry import broken_methods

        return {"methods": method_overview(), "broken": dict(broken_methods())}

    found = remembered("methods", sources_of_answers(), [], ask)
    if found["broken"]:
        found = ask()
    return found["methods"], found["broken"]


def method_overview() -> list[dict[str, Any]]:
    """A record per method: name, title, the kinds of its parts, the axes that it has, its paper."""
    from core.axes import fields_in
    from core.registry import registered_methods
    from core.running.axes import axis_names

    return [
        {
            "name": name,
            "title": method.title,
            "parts": {
                field.name: str(getattr(method.Config(), field.name))
                for field in fields_in("", method.Config)
                if field.axis
            },
            "axes": [axis.replace("_", "-") for axis in axis_names(name)],
            "paper": method.paper,
        }
        for name, method in sorted(registered_methods().items())
    ]


def key_tables(found: Mapping[str, Sequence[Any]]) -> list[WholeTable]:
    """A table of keys per method; of several methods the keys that they share once, then what is left."""
    shared = set.intersection(*({repr(key) for key in own} for own in found.values()))
    groups: dict[str, Sequence[Any]] = {
        "every method": [key for key in next(iter(found.values())) if repr(key) in shared]
    }
    if len(found) == 1:
        groups = dict(found)
    else:
        groups |= {name: [key for key in own if repr(key) not in shared] for name, own in found.items()}
    return [key_table(name, own) for name, own in groups.items() if own]


def key_table(name: str, keys: Sequence[Any]) -> WholeTable:
    """A row per key."""
    table = WholeTable(
        "key", "values", "default", "released", "only with", "meaning", title=f"keys of {name}"
    )
    for key in keys:
        values = ", ".join(key.values) or key.type
        released = [text(key.released)] if key.differs else []
        default = [text(key.default)]
        for data, both in key.datasets.items():
            default.append(f"{data}: {text(both['default'])}")
            if both["released"] != both["default"]:
                released.append(f"{data}: {text(both['released'])}")
        cells = (key.key, values, "; ".join(default), "; ".join(released), key.only, key.about)
        table.add_row(*map(escape, cells))
    return table


def text(value: Any) -> str:
    """A value as `--set` takes it."""
    return value if isinstance(value, str) else as_json.dumps(value)
