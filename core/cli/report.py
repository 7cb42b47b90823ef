"""`bench report`, `bench compare` and `bench export`: what has been run, read again."""

from pathlib import Path
from typing import Annotated

import typer

from core.cli import shell
from core.cli.render import print_table
from core.cli.shell import Runs, friendly

export_app = typer.Typer(
    no_args_is_help=True, help="Results for other programs.\n\nExample: bench export trec RUN --out trec"
)
RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
Split = Annotated[str, typer.Option(help="Split that was scored.")]
Condition = Annotated[str, typer.Option(help="leak-free or released.")]
Rescoring = Annotated[str, typer.Option(help="none, dsl or qb-norm.")]


@friendly
def report(
    runs: Runs = Path("runs"),
    out: Annotated[
        Path | None, typer.Option(help="Where tables and figures go; RUNS/report unless given.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Row that the others are held against; the best unless given.")
    ] = None,
    timing: Annotated[Path, typer.Option(help="What `bench time` has written.")] = Path("timing/timing.json"),
    html: Annotated[
        bool, typer.Option("--html", help="Also write page.html, one file to look, listen and compare in.")
    ] = False,
) -> None:
    """Print and write the tables (Markdown, LaTeX, CSV) and the figures of all that has been run.

    Example: bench report --runs runs --against "GAID (fusion=none)" --html
    """
    from reports.report import readable, results_of, write_report
    from reports.tables import all_tables

    found, notes = readable(runs)
    shell.left_out(notes)
    results = results_of(found)
    tables = all_tables(results, against)
    for table in tables:
        print_table(table, shell.console)
    paths, notes = write_report(results, tables, out or runs / "report", timing, html=html)
    shell.left_out(notes)
    shell.written(paths)


@friendly
def compare(
    first: RunFolder,
    second: RunFolder,
    split: Split = "test",
    condition: Condition = "leak-free",
    rescoring: Rescoring = "none",
    direction: Annotated[str, typer.Option(help="t2v or v2t.")] = "t2v",
    show: Annotated[int, typer.Option(min=0, help="Changed queries printed for either side.")] = 10,
) -> None:
    """Hold two runs against each other query by query: difference, interval, p, and who changed sides.

    Example: bench compare runs/gaid-avworld-1a2b3c4d runs/tmass-avworld-5e6f7a8b
    """
    from reports import compare as comparison
    from reports.queries import Protocol

    protocol = Protocol(split, condition, rescoring, direction)
    for table in comparison.compare(first, second, protocol, show):
        print_table(table, shell.console)


@export_app.command()
@friendly
def trec(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder for DIRECTION.run and DIRECTION.qrels.")],
    split: Split = "test",
    condition: Condition = "leak-free",
    rescoring: Rescoring = "none",
) -> None:
    """Write the best twenty candidates of each query and the right answers as TREC run and qrels files.

    Example: bench export trec runs/gaid-avworld-1a2b3c4d --out trec
    """
    from core.runs import RunDirectory
    from reports.collect import read_run
    from reports.trec import export

    shell.written(export(read_run(RunDirectory(run)), split, condition, rescoring, out))
