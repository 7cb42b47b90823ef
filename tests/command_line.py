"""`bench` as a process of its own, and what a mistake must look like."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import Result

BENCH = Path(sys.executable).with_name("bench")


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `bench` process at the head of its own group, as a shell starts one; output goes to files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        yield subprocess.Popen([BENCH, *arguments], stdout=out, stderr=err, start_new_session=True)


def assert_one_line(result: Result, *words: str) -> None:
    """Exit code 2 and a single line on standard error that names the file or value and the remedy."""
    assert result.exit_code == 2
    assert result.stderr.startswith("bench: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


def raising(error: BaseException) -> Callable[..., Any]:
    """A function that takes anything and raises."""

    def function(*_: object, **__: object) -> Any:
        raise error

    return function
