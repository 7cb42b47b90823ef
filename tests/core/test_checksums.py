"""Damage in the files of a run is found when they are read, in one line that names the file."""

import json
import os
from pathlib import Path

import pytest

from core.checksums import digests, first_damaged
from core.errors import BenchError
from core.run_files import DIGESTED
from core.runs import RunDirectory
from reports.collect import read_run
from tests.made_runs import make_run, result


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A finished run whose manifest holds the digests of its files."""
    directory = make_run(tmp_path, {}, [result(40.0)])[0]
    manifest = json.loads((directory.path / "manifest.json").read_text())
    manifest["files"] = digests(directory.path, DIGESTED)
    (directory.path / "manifest.json").write_text(json.dumps(manifest))
    return directory


def test_digests_are_size_and_crc_of_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123456789")
    assert digests(tmp_path, ("a", "b")) == {"a": (9, 0xCBF43926)}  # the check value of CRC-32
    assert first_damaged(tmp_path, {"a": (9, 0xCBF43926)}) is None


def test_an_unchanged_run_is_read(run: RunDirectory) -> None:
    assert read_run(run).directory == run


@pytest.mark.parametrize("name", ["metrics.json", "queries.parquet"])
@pytest.mark.parametrize("kind", ["changed", "truncated", "gone"])
def test_a_file_that_is_not_as_it_was_written_is_one_line(run: RunDirectory, name: str, kind: str) -> None:
    read_run(run)
    path = run.path / name
    content = path.read_bytes()
    path.unlink()
    if kind == "changed":  # a digit of a number, or a byte in the middle of a column
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        os.utime(path, ns=(1, 1))
    elif kind == "truncated":
        path.write_bytes(content[:-10])
    with pytest.raises(BenchError, match=rf"{name} is damaged .*; delete the folder and run the cell again"):
        read_run(run)


def test_runs_of_before_the_digests_are_read(tmp_path: Path) -> None:
    assert read_run(make_run(tmp_path, {}, [result(40.0)])[0]).name
