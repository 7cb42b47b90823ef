"""`bench export`: finished runs for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from core.cli import shell
from core.cli.bars import Bars
from core.cli.commands import Commands
from core.cli.report import ConditionOption, Rescoring, RunFolder, SplitOption
from core.cli.shell import AsJson, Offline, forbid_downloads, listed_values, one_line_errors
from core.errors import BenchError
from core.extras import require_extra
from core.progress import bytes_in_words

export_app = Commands(
    no_args_is_help=True,
    help="Export results for other programs.\n\nExample: bench export trec RUN --out trec",
)


@export_app.command()
@one_line_errors
def trec(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder for DIRECTION.run and DIRECTION.qrels.")],
    split: SplitOption = "test",
    condition: ConditionOption = "leak-free",
    rescoring: Rescoring = "none",
) -> None:
    """Write the best twenty candidates of each query and the right answers as TREC run and qrels files.

    Example: bench export trec runs/gaid-avworld-1a2b3c4d --out trec
    """
    from core.runs import RunDirectory
    from reports.collect import read_run
    from reports.trec import trec_files
    from reports.write import write_files

    shell.written(write_files(trec_files(read_run(RunDirectory(run)), split, condition, rescoring), out))


@export_app.command()
@one_line_errors
def hub(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the repository's files; hub/RUN unless given.")
    ] = None,
    repo: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="Repository that --push uploads to.")
    ] = None,
    push: Annotated[
        bool, typer.Option("--push", help="Upload the files with your own token of the Hugging Face Hub.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Make a new repository public; private unless given.")
    ] = False,
    dataset_id: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="The data set on the Hub whose page lists the figures."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence of the weights for the card, e.g. apache-2.0.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the card, the figures and the files; write nothing.")
    ] = False,
) -> None:
    """Write a run as a model repository: card, weights, figures. Nothing is uploaded without --push.

    Example: bench export hub runs/gaid-avworld-1a2b3c4d --dry-run

    Example: bench export hub runs/gaid-avworld-1a2b3c4d --repo me/gaid-avworld --push
    """
    if push and dry_run:
        raise BenchError("--dry-run uploads nothing, and --push does; leave one of them out")
    if push and not repo:
        raise BenchError("--push needs --repo OWNER/NAME, the repository to upload to")
    from reports.hub import checked_id, hub_export, require_token
    from reports.hub import push as upload

    repository = checked_id(repo, "--repo") if repo else ""
    token = require_token() if push else ""
    export = hub_export(run, checked_id(dataset_id, "--dataset-id") if dataset_id else None, licence)
    for note in export.notes:
        shell.console.print(f"note: {note}", markup=False, highlight=False)
    if dry_run:
        for name in (name for name in export.texts if name.endswith((".md", ".yaml"))):
            shell.console.print(f"--- {name}\n{export.texts[name]}", markup=False, highlight=False)
        for name, size in export.sizes().items():
            shell.console.print(f"would be uploaded: {name}  {bytes_in_words(size)}", markup=False)
        return
    folder = out or Path("hub") / export.run
    files = export.write(folder)
    shell.written(files)
    if push:
        address = upload(files, folder, repository, token, private=not public)
        shell.console.print(f"uploaded: {address}", markup=False, highlight=False)


@export_app.command()
@one_line_errors
def mteb(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder for mteb's results, and for what is decoded.")] = Path(
        "mteb"
    ),
    tasks: Annotated[
        str | None,
        typer.Option(help="Tasks of mteb, separated by commas; the run's own data set unless given."),
    ] = None,
    split: SplitOption = "test",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; one per core unless given.")
    ] = None,
    offline: Offline = False,
    json: AsJson = False,
) -> None:
    """Evaluate a run with mteb (extra mteb), on its own data set or on mteb's tasks, and keep mteb's results.

    Example: bench export mteb runs/gaid-avworld-1a2b3c4d --out mteb
    """
    require_extra("bench export mteb", "mteb")
    named = listed_values(tasks, "--tasks")
    forbid_downloads(offline)
    from core.running.mteb_model import RunSearch
    from core.running.mteb_task import evaluated, own_task, recalls, tasks_named
    from core.runs import write_json
    from core.workers import default_workers
    from reports.write import make_folder

    progress = Bars(shell.console)
    model = RunSearch(run, out / "decoded", workers=workers or default_workers(64), progress=progress)
    chosen = tasks_named(named) if named else [own_task(model.run.spec, split, progress)]
    make_folder(out)
    results = evaluated(model, chosen)
    files = [out / f"{name}.json" for name in results]
    for file, result in zip(files, results.values(), strict=True):
        write_json(file, result)
    if json:
        shell.answer({"results": {name: recalls(result) for name, result in results.items()}, "files": files})
        return
    for name, result in results.items():
        figures = "  ".join(f"{measure} {value:.1f}" for measure, value in recalls(result).items())
        shell.console.print(f"{name}: {figures}", markup=False, highlight=False)
    shell.written(files)
