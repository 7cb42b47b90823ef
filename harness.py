"""The `bench` command line: each command is a few lines that call into `core`, `methods` and `reports`."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

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
Missing = Annotated[
    Literal["fail", "count-as-miss", "drop"] | None,
    typer.Option(help="Videos without a file that decodes: fail (default), count-as-miss or drop."),
]
Root = Annotated[Path | None, typer.Option(help="Folder that holds annotation files and videos.")]
Videos = Annotated[Path | None, typer.Option(help="Folder of the videos, where it is another one.")]
Captions = Annotated[Path | None, typer.Option(help="The caption file of `folder`.")]


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
    workers: Annotated[
        int | None, typer.Option(min=1, help="Cells at a time; one per core unless given.")
    ] = None,
    missing: Missing = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the cells and stop.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Train and score a matrix of cells; finished cells are read, unfinished ones continue.

    Example: bench run --methods gaid,tmass --datasets avworld --perturbation dasp,stp --seeds 0,1
    """
    from core import workers as processes

    processes.start_server()  # imports in the background what this process imports next
    from core import matrix, pipeline

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
    policy = [f"data.missing={missing}"] if missing else []
    cells = matrix.from_command_line(experiment, flags, [*(set_ or ()), *policy])
    for note in cells.notes:
        console.print(f"note: {note}", markup=False)
    if dry_run:
        console.print(pipeline.plan(cells.cells, runs))
        return
    outcomes = pipeline.execute(cells.cells, runs, workers, console)
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
    from core.matrix import AXES, has_axis
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
    """List the data sets: what they are, where their owners offer them, where the files go, what is ready.

    Example: bench data list
    """
    from core.datasets import ENTRIES
    from core.datasets.overview import show_list

    show_list(list(ENTRIES.values()), console)


@data_app.command()
@friendly
def add(
    name: Annotated[str, typer.Argument(help="A data set, e.g. msrvtt.")],
    root: Root = None,
    videos: Videos = None,
    captions: Captions = None,
) -> None:
    """Say once where a data set lies; kept in bench.toml. The variable BENCH_DATA overrides it.

    Example: bench data add msrvtt --root /data/msrvtt
    """
    from core.datasets.commands import add_dataset
    from core.datasets.locations import location_of

    add_dataset(name, location_of(root, videos, captions), console)


@data_app.command()
@friendly
def check(
    name: Annotated[str, typer.Argument(help="A data set, e.g. msrvtt.")],
    root: Root = None,
    videos: Videos = None,
    captions: Captions = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the data set, data.key=value; repeatable.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Look for the files, open none of them.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core unless given.")] = None,
) -> None:
    """Count what is found, missing, silent, undecodable; exit code 1 where a listed video has no picture.

    Example: bench data check folder --videos clips --captions captions.csv
    """
    from core.datasets.commands import check_files

    place = (root, videos, captions)
    if not check_files(name, place, set_ or (), console, quick=quick, workers=workers, as_json=json):
        raise typer.Exit(1)


@data_app.command()
@friendly
def prepare(
    name: Annotated[str, typer.Argument(help="A data set, e.g. avworld.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core unless given.")] = None,
    missing: Missing = None,
) -> None:
    """Make a data set ready: generate or decode it once and encode its features.

    Example: bench data prepare avworld
    """
    from core import pipeline

    pipeline.prepare_dataset(name, workers, console, missing or "fail")


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
