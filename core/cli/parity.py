"""`bench parity`: the methods beside recordings of the authors' own modules."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from core.cli import shell
from core.cli.render import WholeTable
from core.cli.shell import AsJson, one_line_errors


@one_line_errors
def parity(
    folder: Annotated[Path, typer.Argument(help="Folder of golden .safetensors files.")],
    clips: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder with the clips of recorded inputs, found by name and SHA-256; repeatable. "
            "Without it such files are listed and not compared."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Compare the methods with tensors recorded from the authors' code; exit code 1 if any file disagrees.

    Example: bench parity tests/golden --clips ../shared/clips
    """
    from methods.parity import run_parity

    rows = run_parity(folder, clips or ())
    failed = sum(row.fails for row in rows)
    unseen = sum(row.verdict == "no clip" for row in rows)
    if json:
        shell.answer(rows)
        raise typer.Exit(1 if failed else 0)
    table = WholeTable("file", "kind", "largest error", "tensor", "verdict", "remark")
    for row in rows:
        tone = "red" if row.fails else "yellow" if row.verdict == "no clip" else "green"
        verdict = f"[{tone}]{row.verdict}[/]"
        table.add_row(row.file, row.kind, f"{row.error:.1e}", row.tensor, verdict, escape(row.message))
    shell.console.print(table)
    line = f"{len(rows) - failed - unseen} of {len(rows)} files agree; {failed} fail"
    shell.console.print(line + (f"; {unseen} need clips: --clips DIR" if unseen else ""))
    if failed:
        raise typer.Exit(1)
