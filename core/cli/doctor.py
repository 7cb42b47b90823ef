"""`bench doctor`: what this installation has and what is missing."""

import typer

from core.cli import shell
from core.cli.shell import AsJson, Offline, forbid_downloads, one_line_errors


@one_line_errors
def doctor(
    json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Check this installation; exit code 1 if something that is needed is missing.

    Example: bench doctor
    """
    forbid_downloads(offline)
    from core import doctor as doctors
    from core.cli.verdicts import show_findings

    findings = doctors.examine()
    if json:
        shell.answer({"complete": doctors.all_found(findings), "findings": findings})
    else:
        show_findings(findings, shell.console)
    if not doctors.all_found(findings):
        raise typer.Exit(1)
