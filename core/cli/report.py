"""`bench report` and `bench compare`: what has been run, read again."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.cli import shell
from core.cli.render import print_table
from core.cli.shell import AsJson, Runs, one_line_errors

RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
SplitOption = Annotated[str, typer.Option(help="Split whose results are used.")]
ConditionOption = Annotated[str, typer.Option(help="Scoring condition: leak-free or released.")]
Rescoring = Annotated[str, typer.Option(help="What was done to the scores: none, dsl or qb-norm.")]
StratumOption = Annotated[
    str | None, typer.Option(help="Count only the queries of this stratum, e.g. partial; all unless given.")
]


@one_line_errors
def report(
    runs: Runs = Path("runs"),
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for tables and figures; unless given RUNS/report, or RUNS/report-STRATUM."),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Label of the baseline row; the best row unless given.")
    ] = None,
    timing: Annotated[Path, typer.Option(help="File written by `bench time`.")] = Path("timing/timing.json"),
    html: Annotated[
        bool,
        typer.Option(
            "--html", help="Also write page.html, a self-contained page to browse results and clips."
        ),
    ] = False,
    figures: Annotated[
        Literal["cone"] | None, typer.Option(help="A figure that is drawn only on request: cone.")
    ] = None,
    stratum: StratumOption = None,
    json: AsJson = False,
) -> None:
    """Write and print the tables (Markdown, LaTeX, CSV) and the figures of all that has been run.

    Example: bench report --runs runs --against "GAID (fusion=none)" --html
    """
    from reports.report import report_record, write_report

    extra = (figures,) if figures else ()
    folder = out or runs / ("report" if stratum is None else f"report-{stratum}")
    report = write_report(runs, folder, against, timing, html=html, figures=extra, stratum=stratum)
    if json:
        shell.answer(report_record(report))
        return
    shell.say_left_out(report.left_out)
    for table in report.tables:  # the files are written: whoever closes the pipe has them all the same
        print_table(table, shell.console)
    shell.written(report.paths)


@one_line_errors
def compare(
    first: RunFolder,
    second: RunFolder,
    split: SplitOption = "test",
    condition: ConditionOption = "leak-free",
    rescoring: Rescoring = "none",
    direction: Annotated[str, typer.Option(help="Direction: t2v or v2t.")] = "t2v",
    show: Annotated[int, typer.Option(min=0, help="Number of changed queries to print for either run.")] = 10,
    stratum: StratumOption = None,
    json: AsJson = False,
) -> None:
    """Compare two runs query by query: difference, interval, p, and which queries changed.

    Example: bench compare runs/gaid-avworld-1a2b3c4d runs/tmass-avworld-5e6f7a8b
    """
    from reports.compare import TwoRuns
    from reports.queries import ResultKey

    comparison = TwoRuns.of(first, second, ResultKey(split, condition, rescoring, direction), show, stratum)
    if json:
        shell.answer(comparison.record())
        return
    for table in comparison.tables():
        print_table(table, shell.console)
