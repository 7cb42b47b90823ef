"""What Ctrl-C says of a cell, and how the command ends: never that something is kept that is not."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import typer
from rich.console import Console

from core.cli import shell
from core.cli.bars import Bars
from core.cli.shell import one_line_errors
from core.resolving import resolve
from core.running.outcomes import Cell
from core.running.scheduler import mark_interrupted
from core.runs import open_run
from core.training.training import Progression


def nothing_kept(folder: Path) -> None:
    pass


def damaged(folder: Path) -> None:
    (folder / "resume.pt").write_bytes(b"none")


def one_epoch(folder: Path) -> None:
    torch.save({"progression": vars(Progression(epoch=1, step=32))}, folder / "resume.pt")


@pytest.mark.parametrize(
    ("leave", "words"),
    [
        (nothing_kept, "nothing of it is saved yet, it will start again"),
        (damaged, "nothing of it is saved yet, it will start again, once {}, which is damaged, is deleted"),
        (one_epoch, "it will go on after 32 steps, 1 of 6 epochs finished"),
    ],
)
def test_only_a_cell_of_which_something_is_saved_goes_on(
    leave: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    spec = resolve("clip4clip", "avworld-tiny", {"training.epochs": 6})
    cell = Cell(spec, open_run(tmp_path, spec, "00000000"))
    leave(cell.directory.path)
    cell.directory.set_status("running")
    text = io.StringIO()
    mark_interrupted([cell], Bars(Console(file=text, width=400)))
    kept = words.format(cell.directory.path / "resume.pt")
    assert text.getvalue() == f"interrupted {cell.directory.path.name}; {kept}\n"
    assert cell.directory.status()["state"] == "interrupted"


def test_the_last_line_promises_what_holds_of_every_cell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)

    @one_line_errors
    def command() -> None:
        raise KeyboardInterrupt

    shell.console.quiet = False
    with pytest.raises(typer.Exit) as ended:
        command()
    assert ended.value.exit_code == 130
    assert capsys.readouterr().out == "interrupted; the same command continues with what is left\n"
