"""`bench report | head -1`: a reader that closes the pipe ends the output, not the work, and is no error."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import pathlib, sys
from core.cli import shell
from core.cli.shell import one_line_errors

@one_line_errors
def command():
    for line in range(20_000):
        shell.console.print(f"line {line}")
    pathlib.Path(sys.argv[1]).write_text("all done")

command()
"""


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, tmp_path / "file"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().strip() == b"line 0"
    process.stdout.close()
    errors = process.stderr.read().decode()
    assert (process.wait(timeout=120), errors) == (0, "")
    assert (tmp_path / "file").read_text() == "all done"
