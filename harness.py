"""The `bench` command line: each command is a few lines that call into `core`, `methods` and `reports`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from core.shell import complain, console, friendly, integers, values

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, score and compare text-video retrieval methods with sound.\n\nExample: [bold]bench run[/]",
)
data_app = typer.Typer(
    no_args_is_help=True, help="Data sets: what there is, and making it ready.\n\nExample: bench data list"
)
app.add_typer(data_app, name="data")
Runs = Annotated[Path, typer.Option("--runs", help="Folder of the run directories.")]
Names = Annotated[str | None, typer.Option(help="Comma-separated values.")]


@app.command()
@friendly
def run(
    experiment: Annotated[
        str, typer.Argument(help="An experiment in benchmarks/ or a YAML file.")
    ] = "default",
    methods: Names = None,
    datasets: Names = None,
    fusion: Names = None,
    pooling: Names = None,
    perturbation: Names = None,
    audio_encoder: Names = None,
    frames: Names = None,
    seeds: Names = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any key of the spec, key=value; repeatable.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Authors' checkpoint of the one method named; scored, not trained.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Cells at a time; one per GPU, else per core, unless given.")
    ] = None,
    devices: Annotated[
        int, typer.Option(min=1, help="Processes that train each cell together, a GPU each (torchrun).")
    ] = 1,
    cluster: Annotated[
        str | None, typer.Option(help="Run on the Ray cluster at this address, or on a local one: local.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the cells, what is done and an estimate; run nothing.")
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Train and score a matrix of cells; finished cells are read, unfinished ones continue.

    Example: bench run --methods gaid,tmass --datasets avworld --perturbation dasp,stp --seeds 0,1
    """
    from core import workers as processes

    processes.start_server()  # imports in the background what this process imports next
    from core import checkpoints, matrix, pipeline, plan, together

    flags = {
        "methods": values(methods),
        "datasets": values(datasets),
        "fusion": values(fusion),
        "pooling": values(pooling),
        "perturbation": values(perturbation),
        "audio_encoder": values(audio_encoder),
        "frames": integers(frames, "--frames"),
        "seeds": integers(seeds, "--seeds"),
    }
    changes = [*checkpoints.assignments(checkpoint, values(methods)), *(set_ or ())]
    cells = matrix.from_command_line(experiment, flags, changes)
    together.start(1 if dry_run else devices, console)
    for note in cells.notes:
        console.print(f"note: {note}", markup=False)
    if dry_run:
        plan.show(cells.cells, runs, workers, console)
        return
    outcomes = pipeline.execute(cells.cells, runs, workers, cluster, console)
    report_on([outcome.cell.directory for outcome in outcomes if outcome.state == "done"])
    failed = [outcome for outcome in outcomes if outcome.state != "done"]
    if failed:
        console.print(
            f"[red]{len(failed)} of {len(outcomes)} cells failed[/]; the same command tries them again"
        )
        raise typer.Exit(2 if all(outcome.mendable for outcome in failed) else 1)


def report_on(directories: list[Any]) -> None:
    """Prints the tables of some finished runs."""
    from reports.collect import read_run
    from reports.report import tables_of
    from reports.tables import main_tables
    from reports.write import print_table

    for table in tables_of([read_run(directory) for directory in directories], main_tables):
        print_table(table, console)


@app.command()
@friendly
def report(
    runs: Runs = Path("runs"),
    out: Annotated[
        Path | None, typer.Option(help="Where tables and figures go; RUNS/report unless given.")
    ] = None,
) -> None:
    """Print and write the tables (Markdown, CSV) and the gate picture of everything that has been run.

    Example: bench report --runs runs --out report
    """
    from reports.report import write_report

    write_report(runs, out or runs / "report", console)


@app.command()
@friendly
def parity(folder: Annotated[Path, typer.Argument(help="Folder of golden .safetensors files.")]) -> None:
    """Hold the methods against recorded tensors of their authors; exit code 1 if one is off or unknown.

    Example: bench parity tests/golden
    """
    from methods.parity import run_parity

    rows = run_parity(folder)
    table = Table("file", "kind", "largest error", "tensor", "verdict", "remark")
    for row in rows:
        verdict = f"[red]{row.verdict}[/]" if row.fails else f"[green]{row.verdict}[/]"
        table.add_row(row.file, row.kind, f"{row.error:.1e}", row.tensor, verdict, escape(row.message))
    console.print(table)
    failed = sum(row.fails for row in rows)
    console.print(f"{len(rows) - failed} of {len(rows)} files agree or are not due yet; {failed} fail")
    if failed:
        raise typer.Exit(1)


@app.command(name="methods")
@friendly
def methods_() -> None:
    """List the methods with their parts and papers.

    Example: bench methods
    """
    from core.axes import AXES, has_axis
    from core.method import registered_methods

    table = Table("name", "title", "parts", "axes", "paper")
    for name, method in sorted(registered_methods().items()):
        config = method.Config()
        parts = " · ".join(
            str(getattr(config, part))
            for part in ("fusion", "pooling", "perturbation")
            if hasattr(config, part)
        )
        table.add_row(
            name,
            method.title,
            parts,
            " ".join(a.replace("_", "-") for a in AXES if has_axis(method, a)),
            method.paper,
        )
    console.print(table)


@data_app.command(name="list")
@friendly
def data_list() -> None:
    """List the data sets: size, where they lie, whether they are ready.

    Example: bench data list
    """
    from core.datasets import ENTRIES

    table = Table("name", "clips", "on disk", "state", "what it is")
    for entry in ENTRIES.values():
        state = "ready" if entry.ready() else f"made on first use, or by: bench data prepare {entry.name}"
        table.add_row(entry.name, entry.clips, entry.size, state, entry.about)
    console.print(table)


@data_app.command()
@friendly
def prepare(
    name: Annotated[str, typer.Argument(help="A data set, e.g. avworld.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core unless given.")] = None,
) -> None:
    """Make a data set ready: generate or decode it once and encode its features.

    Example: bench data prepare avworld
    """
    from core import pipeline

    pipeline.prepare_dataset(name, workers, console)


def main() -> None:
    """Entry point of the console script."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:  # an option or value that typer refuses; no message after its help
        code = error.exit_code
        if message := error.format_message():
            complain(message)
    sys.exit(code)


if __name__ == "__main__":
    main()
