"""An option of `bench run` per declared axis, its values in the help; torch is not imported for it."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

import core
import methods
from core.axes import Declared
from core.cli.commands import LIST, OnceCommand
from core.cli.hints import common_fields, keys_called
from core.cli.shell import integers, listed_values
from core.plugins import METHODS, sources_of
from core.remembered import remembered
from core.spec import Seeds

GIVEN = "axes"
"""Where the values of the options are kept among what a command's context carries."""
PANEL = "Axes: comma-separated values, every combination is a run"


@dataclass(frozen=True)
class AxisOption:
    """What the command line needs to know of an axis."""

    about: str
    """What it is, in a sentence without its full stop."""
    choices: tuple[str, ...]
    """The values that exist; empty where they are not listed."""
    whole: bool
    """Whether it takes whole numbers, and so ranges."""


@cache
def axes() -> dict[str, AxisOption]:
    """Every axis by name.

    A method that declares one is imported to ask it, and with it torch; the answer is kept until a source
    changes. Other methods have the axes of the composition, which are read without.
    """
    plug_ins = sources_of(METHODS)
    if not any("Axis(" in file.read_text(encoding="utf-8", errors="replace") for file in plug_ins):
        return {name: option_of([field]) for name, field in shared_axes().items()}
    found = remembered("axes", sources_of_answers(), [], declared_by_methods)
    return {
        name: AxisOption(one["about"], tuple(one["choices"]), one["whole"]) for name, one in found.items()
    }


def sources_of_answers() -> list[Path]:
    """Every file on which an answer about the methods depends: those of the plug-ins and of this project."""
    trees = [
        file for folder in (core, methods) for path in folder.__path__ for file in Path(path).rglob("*.py")
    ]
    return sorted({*sources_of(METHODS), *trees})


def declared_by_methods() -> dict[str, Any]:
    """The axes of all methods as records; imports them."""
    from core.running.axes import all_axes

    shared = shared_axes()
    return {
        name: asdict(option_of([shared[name], *fields] if name in shared else fields))
        for name, fields in all_axes().items()
    }


def shared_axes() -> dict[str, Declared]:
    """The axes of every run and of the composition by name, in words that hold for all methods."""
    return {field.axis_name: field for field in common_fields().values() if field.axis}


def option_of(fields: Sequence[Declared]) -> AxisOption:
    """An axis out of the fields that declare it; what it is in the words of the first."""
    choices = dict.fromkeys(str(choice) for field in fields for choice in field.choices)
    whole = any(field.info.annotation in (int, Seeds) for field in fields)
    return AxisOption(fields[0].about.split(". ")[0].rstrip("."), tuple(choices), whole)


@cache
def parameters() -> tuple[Any, ...]:
    """The options of all axes, as the command line's library has them."""
    found = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option(name, axis))
        for name, axis in axes().items()
    ]

    def command(**given: str | None) -> None:
        """Only its signature is used."""

    command.__signature__ = inspect.Signature(found)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in found}
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return tuple(p for p in typer.main.get_command(app).params if p.name in command.__annotations__)


def option(name: str, axis: AxisOption) -> Any:
    """The annotation of an axis's option: what the field says, and the values that exist."""

    def keep(context: typer.Context, value: str | None) -> None:
        if value is not None:
            context.meta.setdefault(GIVEN, {})[name] = value

    words = f"{axis.about}: {', '.join(axis.choices)}." if axis.choices else f"{axis.about}."
    if axis.whole:
        words += " 0-4 are all from 0 to 4." if name == "seeds" else " 12-15 are all from 12 to 15."
    flag = "--" + name.replace("_", "-")
    return Annotated[
        str | None,
        typer.Option(
            flag, help=words, callback=keep, expose_value=False, metavar=LIST, rich_help_panel=PANEL
        ),
    ]


class AxesCommand(OnceCommand):
    """A command that has the options of all axes beside its own; `given_axes` reads them."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its own parameters, then one per axis."""
        own = super().get_params(ctx)
        return [*own[:-1], *parameters(), own[-1]]  # the last is --help

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the words; an unknown option that is called as a key is answered with the key."""
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            if keys := keys_called(getattr(error, "option_name", "")):
                right = " or ".join(f"--set {key}=VALUE" for key in keys)
                ctx.fail(f"{error.format_message()}; write {right}")
            raise


def given_axes(context: typer.Context) -> dict[str, tuple[Any, ...]]:
    """The values of the axes that the command line names, by the axis's name.

    Raises `BenchError` for an option without a value, or what is no whole number where one is wanted.
    """
    known = axes()
    return {name: items(name, known[name], text) for name, text in context.meta.get(GIVEN, {}).items()}


def items(name: str, axis: AxisOption, text: str) -> tuple[Any, ...]:
    """The values of an axis; of whole numbers, `0-4` are all from 0 to 4."""
    flag = "--" + name.replace("_", "-")
    return integers(text, flag) if axis.whole else listed_values(text, flag)


def flag_names(flags: Mapping[str, tuple[Any, ...]], axis: str) -> tuple[str, ...]:
    """The values of one axis; none where it is not given."""
    return tuple(map(str, flags.get(axis, ())))
