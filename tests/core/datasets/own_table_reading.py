"""Users' own caption files, written by tests and read by the bench."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.datasets.folder import read_rows
from core.datasets.own_tables import OwnTable
from core.errors import BenchError
from tests.core.datasets import small_copies as small

CASES = Path(__file__).parent / "cases"


def table(tmp_path: Path, name: str, content: str | bytes) -> OwnTable:
    """A file of that content as it is read."""
    return read_rows(small.write(tmp_path / name, content))


def complaint(action: Callable[[], Any]) -> str:
    """The one line of an error."""
    with pytest.raises(BenchError) as caught:
        action()
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 450
    return line


def pairs(found: OwnTable) -> list[tuple[str, str]]:
    """Video and caption of each row."""
    return [tuple(row) for row in found.rows]
