"""The `bench` command line: each command is a few lines that call into `core`, `methods` and `reports`."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.shell import complain, console, forbid_downloads, friendly, integers, values

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
export_app = typer.Typer(
    no_args_is_help=True, help="Results for other programs.\n\nExample: bench export trec RUN --out trec"
)
app.add_typer(export_app, name="export")
Runs = Annotated[Path, typer.Option("--runs", help="Folder of the run directories.")]
Names = Annotated[str | None, typer.Option(help="Comma-separated values.")]
Missing = Annotated[
    Literal["fail", "count-as-miss", "drop"] | None,
    typer.Option(help="Videos without a file that decodes: fail (default), count-as-miss or drop."),
]
Root = Annotated[Path | None, typer.Option(help="Folder that holds annotation files and videos.")]
Videos = Annotated[Path | None, typer.Option(help="Folder of the videos, where it is another one.")]
Offline = Annotated[bool, typer.Option("--offline", help="Download no weights, as HF_HUB_OFFLINE=1 does.")]
Captions = Annotated[Path | None, typer.Option(help="The caption file of `folder`.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
Split = Annotated[str, typer.Option(help="Split that was scored.")]
Condition = Annotated[str, typer.Option(help="query (leak-free) or released.")]
Rescoring = Annotated[str, typer.Option(help="none, dsl or qb-norm.")]


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


@app.command()
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
    from reports.report import write_report

    write_report(runs, out or runs / "report", against, timing, console, html=html)


@app.command()
@friendly
def compare(
    first: RunFolder,
    second: RunFolder,
    split: Split = "test",
    condition: Condition = "query",
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
    comparison.compare(first, second, protocol, show, console)


@export_app.command()
@friendly
def trec(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder for DIRECTION.run and DIRECTION.qrels.")],
    split: Split = "test",
    condition: Condition = "query",
    rescoring: Rescoring = "none",
) -> None:
    """Write the best twenty candidates of each query and the right answers as TREC run and qrels files.

    Example: bench export trec runs/gaid-avworld-1a2b3c4d --out trec
    """
    from core.runs import RunDirectory
    from reports.collect import read_run
    from reports.trec import export

    export(read_run(RunDirectory(run)), split, condition, rescoring, out, console)


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
    from core.axes import AXES, has_axis
    from core.method import registered_methods

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
    methods: Names = None,
    offline: Offline = False,
) -> None:
    """Make a data set ready: generate or decode it once and encode what the methods (all, by default) read.

    Example: bench data prepare msrvtt --methods gaid,tmass
    """
    forbid_downloads(offline)
    from core import pipeline

    pipeline.prepare_dataset(name, values(methods), workers, console, missing or "fail")


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
