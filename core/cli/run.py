"""`bench run`: a matrix of cells, trained and scored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from core import torchrun
from core.cli import names, shell
from core.cli.answers import restored
from core.cli.axis_options import flag_names, given_axes
from core.cli.bars import Bars
from core.cli.render import print_table
from core.cli.shell import AsJson, Missing, Offline, Runs, Traceback, forbid_downloads, one_line_errors
from core.running.partitions import require_cluster
from core.running.trackers import TrackerName, require_tracker


@one_line_errors
def run(
    context: typer.Context,
    experiment: Annotated[
        list[str] | None,
        typer.Argument(
            help="An experiment in benchmarks/ or a YAML file of the same keys.", metavar="EXPERIMENT"
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=A,B",
            help="Any key of the spec, swept where it has several values; repeatable. "
            "bench methods --keys lists all keys. A value with a comma of its own is a JSON list or string; "
            "of whole numbers 0-4 are all from 0 to 4.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Authors' checkpoint of the one method named: scored, not trained, under --recipe authors."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of runs at a time; one per GPU, or per core without a GPU, unless given."
        ),
    ] = None,
    devices: Annotated[
        int,
        typer.Option(
            min=1, help="Number of processes that train each run together, one GPU each (torchrun)."
        ),
    ] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|local|slurm[:PARTITION]",
            help="Address of a Ray cluster to run on, `local` for one on this machine, or Slurm.",
        ),
    ] = None,
    track: Annotated[
        TrackerName | None,
        typer.Option(help="Mirror log and measures of the cells into trackio, wandb or tensorboard."),
    ] = None,
    missing: Missing = None,
    offline: Offline = False,
    keep_old: Annotated[
        bool,
        typer.Option("--keep-old", help="Read finished cells of other code instead of running them."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the planned runs, which are finished, and an estimate or why there is none; "
            "run nothing.",
        ),
    ] = False,
    runs: Runs = Path("runs"),
    json: AsJson = False,
    traceback: Traceback = False,
) -> None:
    """Train and evaluate a grid of runs. Completed runs are reused; interrupted ones resume.

    Example: bench run --methods gaid,tmass --datasets avworld --perturbation dasp,stp --seeds 0,1
    """
    forbid_downloads(offline)
    if cluster and not dry_run:
        require_cluster(cluster)
    if track:
        require_tracker(track)
    name = names.experiment_named(experiment or ())
    flags = names.registered(given_axes(context))
    # All that can be refused without torch has been; its import takes seconds.
    from core.cli import plan
    from core.cli.fastest import with_fastest
    from core.running import matrix

    policy = [f"data.missing={missing}"] if missing else []
    implied = of_checkpoint(checkpoint, flag_names(flags, "methods")) if checkpoint else []
    cells = matrix.from_command_line(name, flags, [*(set_ or ()), *policy], implied)
    names.require_encoders((cell.backbone, cell.audio_encoder, cell.checkpoint) for cell in cells.cells)
    screen = shell.console
    cells.cells = with_fastest(cells.cells, Bars(screen), measure=not dry_run)
    if not dry_run:
        with restored():
            torchrun.start(devices)
    screen.quiet = torchrun.follows()
    for note in cells.notes:
        screen.print(f"note: {note}", markup=False)
    if dry_run and json:
        shell.answer({"cells": plan.records_of(cells.cells, runs), "notes": cells.notes})
        return
    if dry_run:
        plan.show(cells.cells, runs, workers, shell.console)
        return
    from core.running import pipeline
    from reports.report import conclude

    outcomes = pipeline.execute(cells.cells, runs, workers, cluster, Bars(screen), keep_old, track)
    done = [outcome.cell.directory for outcome in outcomes if outcome.state == "done"]
    failed = [outcome for outcome in outcomes if outcome.state != "done"]
    if json and not torchrun.follows():
        shell.answer({"cells": [outcome_record(outcome) for outcome in outcomes], "notes": cells.notes})
    elif done and not torchrun.follows():
        conclusion = conclude(done, runs)
        shell.say_left_out(conclusion.left_out)
        for table in conclusion.tables:
            print_table(table, shell.console)
    if traceback:
        shell.show_logs(outcome.cell.directory.path / "error.txt" for outcome in failed)
    if failed:
        screen.print(
            f"[red]{len(failed)} of {len(outcomes)} cells failed[/]; the same command tries them again"
        )
    if done and not json and not torchrun.follows():
        shell.console.print(f"report: {conclusion.report}", markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(2 if all(outcome.fixable for outcome in failed) else 1)


def of_checkpoint(path: Path, methods: Sequence[str]) -> list[str]:
    """What a checkpoint decides, as `--set` has it; reads it."""
    from core.training.checkpoints import assignments

    return assignments(path, methods)


def outcome_record(outcome: Any) -> dict[str, object]:
    """How a cell ended, as `bench run --json` has it; metrics are in the folder that it names."""
    folder, spec = outcome.cell.directory.path, outcome.cell.spec
    return {
        "folder": str(folder) if folder.is_dir() else None,
        "method": spec.method,
        "dataset": spec.dataset,
        "state": outcome.state,
        "message": outcome.message,
    }
