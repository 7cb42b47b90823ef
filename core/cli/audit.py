"""`bench audit`: checks of methods and of finished runs."""

from typing import Annotated

import typer

from core.cli import names, shell
from core.cli.bars import Bars
from core.cli.shell import AsJson, Traceback, listed_values, one_line_errors
from core.supervisor import start_server


@one_line_errors
def audit(
    subjects: Annotated[
        list[str] | None, typer.Argument(help="Methods by name, or folders of finished runs.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Audit every registered method.")] = False,
    condition: Annotated[
        str, typer.Option(help="Scoring conditions, comma-separated: leak-free, released.")
    ] = "leak-free",
    size: Annotated[int, typer.Option(min=20, help="Number of random texts and videos per seed.")] = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Number of random draws of weights and noise.")] = 3,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A field of the method's Config; may be repeated."),
    ] = None,
    traceback: Traceback = False,
    json: AsJson = False,
) -> None:
    """Check methods for leaks, or a finished run for its protocol; exit code 1 if a check fails.

    Example: bench audit tmass gaid --condition released

    Example: bench audit gaid --set fusion=token --set pooling=mean
    """
    named = names.subjects_named(subjects or ())
    if all_ or any("/" not in name for name in named):  # methods: processes are ready when they are needed
        start_server(["core.audit.portions"])  # the towers that a run needs take longer than most audits
    from core.cli.verdicts import show_verdicts
    from core.registry import broken_methods
    from reports.audit import command

    found = command.audited(
        named,
        command.conditions_of(listed_values(condition, "--condition")),
        every_method=all_,
        size=size,
        seeds=seeds,
        settings=command.settings_of(set_ or ()),
        progress=Bars(shell.console),
    )
    if json:
        shell.answer(found.verdicts)
    elif found.verdicts:
        show_verdicts(found.verdicts, shell.console)
    if all_ and not json:
        shell.broken(broken_methods())
    for error in found.errors:
        shell.complain_of(error, traceback=traceback)
    if found.errors:
        raise typer.Exit(2)
    if any(verdict.verdict == "fail" for verdict in found.verdicts):
        raise typer.Exit(1)
