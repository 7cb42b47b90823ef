"""`bench data look`: what the bench sees and hears in a file."""

from pathlib import Path
from typing import Annotated

import typer

from core.cli import names, shell
from core.cli.shell import AsJson, one_line_errors
from core.data_options import Sampling
from core.errors import BenchError


@one_line_errors
def look(
    file: Annotated[Path, typer.Argument(help="A video, or a file of sound.")],
    sound: Annotated[Path | None, typer.Option(help="A separate sound file of the video.")] = None,
    sampling: Annotated[
        Sampling | None,
        typer.Option(help="Which frames are taken; segment-centres unless a recipe says otherwise."),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, max=256, help="How many frames; 12 by default.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="METHOD", help="Read the file as the authors of this method do, e.g. gaid."),
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Draw the frames over the spectrogram here.")] = None,
    json: AsJson = False,
) -> None:
    """Show what the bench sees and hears in a file: frames with their times, loudness, what is wrong.

    Example: bench data look clip.mp4 --sampling one-per-second --png clip.png
    """
    if json and png:
        raise BenchError("--json and --png are two answers; give one of them")
    for path in (file, sound):
        if path is not None and not path.is_file():
            raise BenchError(f"{path}: no such file; name a media file")
    if png is not None and (png.suffix.lower() != ".png" or not png.resolve().parent.is_dir()):
        raise BenchError(f"{png}: no PNG file in a folder that exists; name one, e.g. look.png")
    method = names.methods_named([recipe])[0] if recipe else None
    from core.cli.look_work import chosen_settings, look_lines
    from core.dataset import Video
    from core.media.looking import record
    from core.store.looking import look_at

    settings = chosen_settings(method, sampling, frames)
    found = look_at(Video(file.name, file, sound=sound or "own track"), settings)
    if json:
        shell.answer(record(found))
        return
    if png is not None:
        from reports.figures.looks import draw_look

        draw_look(found, png)
        shell.written([png])
        return
    for line in look_lines(record(found)):
        shell.console.print(line, markup=False, highlight=False)
