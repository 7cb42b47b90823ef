"""A complete cache that nobody may write serves runs, as one that a lab shares does."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from core.errors import BenchError
from core.paths import cache_root
from core.progress import Silent
from core.resolving import resolve
from core.running.cells import RunInputs, prepare_inputs, run_cell, run_hash
from core.runs import open_run


def remounted(folder: Path, place: Path) -> bool:
    """Whether the folder could be mounted a second time, read-only."""
    bind = ["mount", "--bind", folder, place]
    seal = ["mount", "-o", "remount,bind,ro", place]
    return all(subprocess.run(one, capture_output=True).returncode == 0 for one in (bind, seal))


@pytest.fixture
def sealed(materials: RunInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache of the tests, read-only; root needs a mount for that, as permissions do not bind it."""
    place = tmp_path / "cache"
    place.mkdir()
    if os.geteuid() or not remounted(cache_root(), place):
        subprocess.run(["umount", "--lazy", place], capture_output=True)
        pytest.skip("root alone may mount a folder read-only")
    monkeypatch.setenv("BENCH_CACHE", str(place))
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)  # memory-mapped features may still hold it


@pytest.mark.slow
def test_a_cell_runs_from_it_and_is_reported(
    sealed: Path, materials: RunInputs, tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    spec = resolve("gaid", "avworld-tiny", {"training.epochs": 1})
    found = prepare_inputs(spec, Silent(), workers=1)
    assert found.fingerprints() == materials.fingerprints()
    run = open_run(tmp_path / "runs", spec, run_hash(spec, found))
    run_cell(spec, run, Silent())
    assert run.is_done()
    result = invoke("report", "--runs", tmp_path / "runs", "--html")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "runs" / "report" / "report.md").is_file()


def test_what_it_does_not_hold_is_one_line(sealed: Path) -> None:
    with pytest.raises(BenchError, match=r"cannot write to .*Read-only file system"):
        prepare_inputs(resolve("gaid", "avworld-tiny", {"frames": 3}), Silent(), workers=1)
