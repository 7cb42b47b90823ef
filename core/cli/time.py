"""`bench time`: scoring, timed."""

from pathlib import Path
from typing import Annotated

import typer

from core.cli import names, shell
from core.cli.bars import Bars
from core.cli.render import print_table
from core.cli.shell import AsJson, finite, integers, listed_values, one_line_errors


@one_line_errors
def time_(
    methods: Annotated[str, typer.Option(help="Methods, separated by commas.")] = "xpool,tmass,gaid",
    perturbation: Annotated[
        str, typer.Option(help="For the methods that have one: none, dasp, stp-fresh, stp-per-text.")
    ] = "none,dasp,stp-fresh,stp-per-text",
    videos: Annotated[str, typer.Option(help="Gallery sizes, separated by commas.")] = "1000",
    texts: Annotated[int, typer.Option(min=1, help="Number of queries.")] = 1000,
    trials: Annotated[int, typer.Option(min=1, help="Number of random points of STP.")] = 20,
    threads: Annotated[int, typer.Option(min=1, help="Number of torch threads (CPU only).")] = 1,
    repeats: Annotated[
        int, typer.Option(min=1, help="Number of measurements; their median is reported.")
    ] = 3,
    seconds: Annotated[
        float,
        typer.Option(
            min=0,
            callback=finite,
            help="Time per measurement in seconds; a longer one scores a sample of the texts.",
        ),
    ] = 2.0,
    released_videos: Annotated[
        int, typer.Option(min=1, help="Videos scored by the released procedure; the rest is extrapolated.")
    ] = 64,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; the GPU if there is one, unless given.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for tables, JSON and figure.")] = Path("timing"),
    json: AsJson = False,
) -> None:
    """Time scoring on random features: released procedure, tiled modules and exact engine side by side.

    Example: bench time --methods gaid --videos 1000,5000,50000 --texts 1000
    """
    chosen = names.methods_named(listed_values(methods, "--methods"))
    from core.timing.plan import Plan, device_of
    from core.timing.study import run_study
    from core.timing.works import Setting, works_of
    from reports.timing.write import write_timing
    from reports.write import make_folder

    works, notes = works_of(chosen, listed_values(perturbation, "--perturbation"))
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
    for note in notes:
        shell.console.print(f"note: {note}", markup=False)
    study = run_study(plan, Bars(shell.console))
    tables, paths = write_timing(study, out)
    if json:
        shell.answer(study)
        return
    for table in tables:
        print_table(table, shell.console)
    shell.written(paths)
