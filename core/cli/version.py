"""`bench --version`: version, commit and lock."""

from typing import Annotated

import typer

from core.versions import version_line


def show_version(asked: bool) -> None:
    """Prints the line and ends, where it was asked for."""
    if asked:
        print(version_line())
        raise typer.Exit


def version(
    show: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=show_version,
            is_eager=True,
            help="Print version, commit and lock, and exit.",
        ),
    ] = False,
) -> None:
    """Takes the options that stand before a command."""
