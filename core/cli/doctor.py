"""`bench doctor`: what this installation has and what is missing."""

from typing import Annotated

import typer

from core.cli import shell
from core.cli.shell import Offline, forbid_downloads, friendly


@friendly
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
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
        shell.console.json(doctors.findings_as_json(findings))
    else:
        show_findings(findings, shell.console)
    if not doctors.all_found(findings):
        raise typer.Exit(1)
