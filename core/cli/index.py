"""`bench index`: a folder of videos, ready to be searched with a finished run."""

from pathlib import Path
from typing import Annotated

import typer

from core.cli import shell
from core.cli.bars import Bars
from core.cli.screen import Screen
from core.cli.shell import AsJson, Offline, Traceback, forbid_downloads, one_line_errors
from core.running.partitions import require_ray

SHOWN_FILES = 10
"""Files that are named; the others are in index.json."""


@one_line_errors
def index_(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    videos: Annotated[Path, typer.Option(help="Folder of videos, in any folders below.")],
    out: Annotated[Path, typer.Option(help="Folder of the index: a new one, or one to bring up to date.")],
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes that decode and encode: one, or all of a cluster's."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|local",
            help="Ray cluster that decodes and encodes; its nodes see both folders.",
        ),
    ] = None,
    offline: Offline = False,
    json: AsJson = False,
    traceback: Traceback = False,
) -> None:
    """Index a folder of videos for bench search. Run again, it brings the index up to date.

    Example: bench index runs/gaid-avworld-1a2b3c4d --videos holiday --out holiday.index

    Example: bench index runs/gaid-avworld-1a2b3c4d --videos films --out films.index --cluster 10.0.0.1:6379
    """
    forbid_downloads(offline)
    if cluster:
        require_ray(cluster)
    from core.running.trained import load_run
    from core.search.building import index_videos
    from core.search.clustered import index_on_cluster

    screen = Screen(stderr=True) if json else shell.console
    progress = Bars(screen)
    model = load_run(run, progress)
    if cluster:
        built = index_on_cluster(model, videos, out, cluster, workers, progress)
    else:
        built = index_videos(model, videos, out, workers=workers or 1, progress=progress)
    if json:
        shell.answer(built)
        return
    changes = f"{built.added:,} added, {built.removed:,} removed"
    screen.print(f"{out}: {built.videos:,} videos, {changes}", markup=False, highlight=False)
    if built.passed_over:
        screen.print(f"passed over: {built.passed_over:,} files that are no videos", highlight=False)
    for path, reason in list(built.unusable.items())[:SHOWN_FILES]:
        screen.print(f"cannot be used: {path}: {reason}", markup=False, highlight=False, style="yellow")
    if len(built.unusable) > SHOWN_FILES:
        more = len(built.unusable) - SHOWN_FILES
        screen.print(f"and {more:,} more, named in {out / 'index.json'}", markup=False, highlight=False)
