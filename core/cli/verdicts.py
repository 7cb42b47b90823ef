"""The tables of `bench audit` and `bench doctor`."""

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape

from core.audit.verdict import Verdict
from core.cli.render import WholeTable
from core.doctor import Finding

VERDICT_COLOURS = {
    "pass": "green",
    "fail": "red",
    "not applicable": "dim",
    "ok": "green",
    "note": "yellow",
    "missing": "red",
}


def show_verdicts(verdicts: Sequence[Verdict], console: Console) -> None:
    """Prints a row per verdict and how many failed."""
    table = WholeTable("method", "condition", "check", "verdict", "figure", "meaning")
    before = verdicts[0]
    for verdict in verdicts:
        if (verdict.method, verdict.condition) != (before.method, before.condition):
            table.add_section()
        colour = VERDICT_COLOURS[verdict.verdict]
        words = map(escape, (verdict.method, verdict.condition, verdict.check))
        table.add_row(
            *words,
            f"[{colour}]{verdict.verdict}[/]",
            escape(verdict.figure),
            escape(verdict.meaning),
        )
        before = verdict
    console.print(table)
    failed = sum(verdict.verdict == "fail" for verdict in verdicts)
    for place in dict.fromkeys(verdict.explained for verdict in verdicts if verdict.verdict == "fail"):
        console.print(f"see {place}", markup=False)
    console.print(f"{failed} of {len(verdicts)} checks failed")


def show_findings(findings: Sequence[Finding], console: Console) -> None:
    """Prints the findings as one table."""
    table = WholeTable("", "", "found", "fix", box=SIMPLE)
    for finding in findings:
        state = f"[{VERDICT_COLOURS[finding.state]}]{finding.state}[/]"
        table.add_row(finding.subject, state, escape(finding.value), escape(finding.fix))
    console.print(table)
