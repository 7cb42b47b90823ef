"""The `bench` command line: each command is a few lines that call into `core`, `methods` and `reports`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.data_commands import data_app
from core.shell import (
    Missing,
    Names,
    Offline,
    Runs,
    complain,
    console,
    forbid_downloads,
    friendly,
    integers,
    values,
)
from reports.commands import compare, export_app, report

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, score and compare text-video retrieval methods with sound.\n\nExample: [bold]bench run[/]",
)


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
    missing: Missing = None,
    offline: Offline = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the cells, what is done and an estimate; run nothing.")
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Train and score a matrix of cells; finished cells are read, unfinished ones continue.

    Example: bench run --methods gaid,tmass --datasets avworld --perturbation dasp,stp --seeds 0,1
    """
    forbid_downloads(offline)
    from core import workers as processes

    processes.start_server()  # imports in the background what this process imports next
    from core.running import matrix, pipeline, plan, together
    from core.training import checkpoints

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
    changes = [*checkpoints.assignments(checkpoint, values(methods)), *(set_ or ()), *policy]
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
    from reports.report import print_results

    print_results([read_run(directory) for directory in directories], console)


app.command()(report)
app.command()(compare)
app.add_typer(data_app, name="data")
app.add_typer(export_app, name="export")


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
    console.print(f"{len(rows) - failed} of {len(rows)} files agree; {failed} fail")
    if failed:
        raise typer.Exit(1)


@app.command()
@friendly
def audit(
    subjects: Annotated[
        list[str] | None, typer.Argument(help="Methods, or folders of finished runs.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every registered method.")] = False,
    condition: Annotated[str, typer.Option(help="query, released, or both, comma-separated.")] = "query",
    size: Annotated[int, typer.Option(min=20, help="Texts and videos of noise per seed.")] = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of weights and noise.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="Print the records as JSON.")] = False,
) -> None:
    """Check methods for leaks, or a finished run for its protocol; exit code 1 where a check fails.

    Example: bench audit tmass gaid --condition released
    """
    from core.progress import Bars
    from reports.audit import command

    screen = Console(stderr=True) if json else console  # JSON has standard output to itself
    verdicts = command.audited(
        subjects or (),
        command.conditions_of(values(condition)),
        every_method=all_,
        size=size,
        seeds=seeds,
        progress=Bars(screen),
    )
    if json:
        print(command.as_json(verdicts))
    else:
        command.show(verdicts, console)
    if any(verdict.verdict == "fail" for verdict in verdicts):
        raise typer.Exit(1)


@app.command(name="time")
@friendly
def time_(
    methods: Annotated[str, typer.Option(help="Comma-separated methods.")] = "xpool,tmass,gaid",
    perturbation: Annotated[
        str, typer.Option(help="For the methods that have one: none, dasp, stp-fresh, stp-per-text.")
    ] = "none,dasp,stp-fresh,stp-per-text",
    videos: Annotated[str, typer.Option(help="Sizes of the gallery, comma-separated.")] = "1000",
    texts: Annotated[int, typer.Option(min=1, help="Queries.")] = 1000,
    trials: Annotated[int, typer.Option(min=1, help="Random points of STP.")] = 20,
    threads: Annotated[int, typer.Option(min=1, help="Of torch, on a CPU.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements that a median is taken of.")] = 3,
    seconds: Annotated[
        float, typer.Option(min=0, help="A measurement that takes longer scores a sample of the texts.")
    ] = 2.0,
    released_videos: Annotated[
        int, typer.Option(min=1, help="Videos that the released procedure runs on; the rest is extrapolated.")
    ] = 64,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; a GPU where there is one.")] = None,
    out: Annotated[Path, typer.Option(help="Where tables, JSON and picture go.")] = Path("timing"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Time scoring: released procedure, tiled modules and exact engine side by side, on random features.

    Example: bench time --methods gaid --videos 1000,5000,50000 --texts 1000
    """
    from core.progress import Bars
    from methods.timing.plan import Plan, device_of
    from methods.timing.study import run_study
    from methods.timing.works import Setting, works_of
    from reports.timing import show_timing
    from reports.write import make_folder

    works, notes = works_of(values(methods), values(perturbation))
    plan = Plan(
        works,
        integers(videos, "--videos"),
        texts,
        Setting(trials=trials),
        repeats=repeats,
        budget=seconds,
        released_videos=released_videos,
        threads=threads,
        device=device_of(device),
    )
    make_folder(out)  # rather than find after minutes that it cannot be
    screen = Console(stderr=True) if json else console  # JSON has standard output to itself
    for note in notes:
        screen.print(f"note: {note}", markup=False)
    show_timing(run_study(plan, Bars(screen)), out, console, as_json=json)


@app.command(name="methods")
@friendly
def methods_() -> None:
    """List the methods with their parts and papers.

    Example: bench methods
    """
    from core.method import registered_methods
    from core.running.axes import AXES, has_axis

    table = Table("name", "title", "parts", "axes", "paper")
    for name, method in sorted(registered_methods().items()):
        config = method.Config()
        parts = " · ".join(
            str(getattr(config, part))
            for part in ("enrichment", "fusion", "pooling", "perturbation")
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


@app.command()
@friendly
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    offline: Offline = False,
) -> None:
    """Say what this installation has and lacks; exit code 1 where something that is needed is missing.

    Example: bench doctor
    """
    forbid_downloads(offline)
    from core import doctor as doctors

    findings = doctors.examine()
    if json:
        print(doctors.as_json(findings))
    else:
        doctors.show(findings, console)
    if not doctors.is_whole(findings):
        raise typer.Exit(1)


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
