"""Ctrl-C in a shell on a terminal: pressed once or three times, it ends a command in one line."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.running.cells import RunInputs
from core.runs import find_runs
from tests.command_line import BENCH

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # a real run, on whatever else is going on

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SIGNALLED = """
import os, signal, sys

class Press:
    def find_spec(self, name, *_):
        if name == "core.cli.shell":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Press())
import harness
"""


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.shown = ""

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def read(self, seconds: float) -> None:
        """Reads what is shown within so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.descriptor], [], [], left)[0]:
                self.shown += CONTROL.sub("", os.read(self.descriptor, 1 << 16).decode(errors="replace"))

    def read_until(self, condition: Callable[[], bool], seconds: float = 240) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.shown[-2000:]
            self.read(0.1)


@contextmanager
def shell() -> Iterator[Terminal]:
    child, descriptor = pty.fork()
    if child == 0:
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    try:
        yield Terminal(descriptor)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(descriptor)


@pytest.mark.parametrize("pause", [0.02, pytest.param(0.3, marks=pytest.mark.slow)])
def test_three_times_in_training_is_one_line_and_every_cell_can_continue(
    pause: float, materials: RunInputs, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    command = f"{BENCH} run --methods clip4clip,gaid --datasets avworld-tiny --set training.epochs=500"
    with shell() as terminal:
        terminal.type(f"{command} --workers 2 --runs {runs}\n")
        terminal.read_until(lambda: any(runs.glob("*/resume.pt")))
        for _ in range(3):
            terminal.type("\x03")
            terminal.read(pause)
        terminal.read_until(lambda: "interrupted; the same command continues" in terminal.shown)
        terminal.type("echo code=$?.\n")
        terminal.read_until(lambda: "code=130." in terminal.shown)
    assert "Traceback" not in terminal.shown
    assert "Exception ignored" not in terminal.shown
    assert [directory.status()["state"] for directory in find_runs(runs)] == ["interrupted"] * 2


def test_while_the_command_line_is_imported_it_ends_without_a_word() -> None:
    found = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (-signal.SIGINT, b"", b"")
