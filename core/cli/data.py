"""`bench data`: what data sets there are, where they lie, what they hold, and making them ready."""

from pathlib import Path
from typing import Annotated

import typer

from core.cli import names, shell
from core.cli.bars import Bars
from core.cli.commands import Commands
from core.cli.look import look
from core.cli.shell import AsJson, Missing, Offline, forbid_downloads, listed_values, one_line_errors
from core.running.partitions import require_ray

data_app = Commands(
    no_args_is_help=True, help="List, locate, check and prepare data sets.\n\nExample: bench data list"
)
Root = Annotated[Path | None, typer.Option(help="Folder that holds annotation files and videos.")]
VideosOption = Annotated[Path | None, typer.Option(help="Folder of the videos, if it is another one.")]
CaptionsOption = Annotated[
    Path | None,
    typer.Option(help="Caption file of your own videos: a table or JSON with video, caption[, split]."),
]
Global = Annotated[
    bool, typer.Option("--global", help="Use the account's bench.toml instead of the project's.")
]
Audio = Annotated[
    Path | None,
    typer.Option(help="Folder of separate sound files: VIDEO.wav, .flac, ... or VIDEO.pt."),
]
Speech = Annotated[
    Path | None,
    typer.Option(help="File of what is said in the videos: a table or JSON with video, transcript."),
]


@data_app.command(name="list")
@one_line_errors
def data_list(json: AsJson = False) -> None:
    """List the data sets: what they are, where to get them, where the files go, and which are ready.

    Example: bench data list
    """
    from core.cli.data_tables import record_of, show_list
    from core.datasets import all_datasets, registered_datasets

    broken = registered_datasets().broken
    entries = [entry for _, entry in sorted(all_datasets().items())]
    if json:
        shell.answer([*map(record_of, entries), *shell.broken_records(broken)])
        return
    show_list(entries, shell.console)
    shell.broken(broken)


@data_app.command()
@one_line_errors
def add(
    name: Annotated[str, typer.Argument(help="A data set, e.g. msrvtt, or a name for videos of your own.")],
    root: Root = None,
    videos: VideosOption = None,
    captions: CaptionsOption = None,
    audio: Audio = None,
    speech: Speech = None,
    global_: Global = False,
) -> None:
    """Store the location of a data set in the project's bench.toml. The variable BENCH_DATA overrides it.

    Example: bench data add msrvtt --root /data/msrvtt

    Example: bench data add my-clips --videos clips --captions captions.csv
    """
    name = names.dataset_to_add(name, root, captions)
    from core.cli.data_places import add_dataset

    add_dataset(name, (root, videos, captions, audio, speech), shell.console, everywhere=global_)


@data_app.command()
@one_line_errors
def remove(
    name: Annotated[str, typer.Argument(help="A data set that bench data add has stored.")],
    global_: Global = False,
) -> None:
    """Remove the location of a data set from bench.toml. Its files stay where they are.

    Example: bench data remove my-clips
    """
    from core.cli.data_places import remove_dataset

    remove_dataset(name, shell.console, everywhere=global_)


@data_app.command()
@one_line_errors
def check(
    name: Annotated[str, typer.Argument(help="A data set, e.g. msrvtt.")],
    root: Root = None,
    videos: VideosOption = None,
    captions: CaptionsOption = None,
    audio: Audio = None,
    speech: Speech = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the data set, data.key=value; repeatable.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Look for the files without opening them.")] = False,
    json: AsJson = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; one per core unless given.")
    ] = None,
) -> None:
    """Count found, missing, silent and undecodable files; exit code 1 if a listed video has no picture.

    Example: bench data check folder --videos clips --captions captions.csv
    """
    name = names.dataset_named(name)
    from core.cli.data_work import check_files

    place = (root, videos, captions, audio, speech)
    if not check_files(name, place, set_ or (), shell.console, quick=quick, workers=workers, as_json=json):
        raise typer.Exit(1)


@data_app.command()
@one_line_errors
def prepare(
    name: Annotated[str, typer.Argument(help="A data set, e.g. avworld.")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; one per core unless given.")
    ] = None,
    missing: Missing = None,
    methods: Annotated[
        str | None,
        typer.Option(help="Methods to encode for, comma-separated; all unless given."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|local", help="Ray cluster that decodes and encodes; its nodes share the cache."
        ),
    ] = None,
    offline: Offline = False,
) -> None:
    """Prepare a data set: generate or decode it once and encode what the methods read (all by default).

    Example: bench data prepare msrvtt --methods gaid,tmass

    Example: bench data prepare msrvtt --cluster 10.0.0.1:6379
    """
    forbid_downloads(offline)
    name, chosen = names.dataset_named(name), names.methods_named(listed_values(methods, "--methods"))
    if cluster:
        require_ray(cluster)
    from core.running import pipeline

    pipeline.prepare_dataset(name, chosen, workers, Bars(shell.console), missing or "fail", cluster)


data_app.command()(look)
