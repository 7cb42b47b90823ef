"""`bench evaluate`: a finished run, scored elsewhere or under another condition."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from core.cli import names, shell
from core.cli.bars import Bars
from core.cli.render import print_table
from core.cli.screen import Screen
from core.cli.shell import AsJson, Missing, Offline, Runs, Traceback, forbid_downloads, one_line_errors
from core.errors import BenchError
from core.scoring.names import AudioAblation, PictureAblation


@one_line_errors
def evaluate_(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    dataset: Annotated[
        str | None, typer.Option(help="Data set to score; the run's own unless given. `bench data list`.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split to score; test unless given or scored by the run.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=A,B",
            help="An evaluation.* or data.* key, swept where it has several values. "
            f"evaluation.audio: {', '.join(get_args(AudioAblation))}. "
            f"evaluation.picture: {', '.join(get_args(PictureAblation))}.",
        ),
    ] = None,
    distractors: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|NAME", help="Folder of videos or data set that joins the gallery: R@K over its size."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes that decode and encode.")] = 1,
    missing: Missing = None,
    offline: Offline = False,
    runs: Runs = Path("runs"),
    json: AsJson = False,
    traceback: Traceback = False,
) -> None:
    """Score a finished run on another data set, split, gallery or condition; each is a run folder.

    Example: bench evaluate runs/gaid-avworld-1a2b3c4d --dataset msrvtt

    Example: bench evaluate runs/gaid-avworld-1a2b3c4d --set evaluation.audio=as-is,muted,exchanged
    """
    forbid_downloads(offline)
    name = names.dataset_named(dataset) if dataset else None
    settings = [*(set_ or ())]
    settings += [f"data.missing={missing}"] if missing else []
    settings += [f"evaluation.distractors={quoted_value(distractors)}"] if distractors else []
    from core.running.evaluating import AskedEvaluation, evaluate_run
    from reports.collect import read_run
    from reports.report import evaluated_tables

    screen = Screen(stderr=True) if json else shell.console
    done = evaluate_run(run, AskedEvaluation(name, split, settings), runs, Bars(screen), workers)
    if json:
        folders = [str(directory.path) for directory in done]
        figures = [dict(directory.read_json("metrics.json")) for directory in done]
        shell.answer([{"folder": f, "metrics": m} for f, m in zip(folders, figures, strict=True)])
        return
    for table in evaluated_tables([read_run(directory) for directory in done]):
        print_table(table, shell.console)
    for directory in done:
        shell.console.print(f"run: {directory.path}", markup=False, highlight=False, soft_wrap=True)


def quoted_value(text: str) -> str:
    """A value of `--set` with its commas; raises `BenchError` for one that no name or folder can have."""
    if '"' in text:
        raise BenchError(f"--distractors {text}: no data set or folder; quotation marks are not allowed")
    return f'"{text}"'
