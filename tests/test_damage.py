"""Damaged and refused folders: one line each that names the file and the remedy."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from core.running.cells import RunInputs
from core.runs import RunDirectory
from tests.command_line import assert_one_line, raising
from tests.made_runs import make_run, result

ONE = ("run", "--methods", "clip4clip", "--datasets", "avworld-tiny")


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, RunDirectory]:
    """A folder of two finished runs, and the one of GAID, which is to be damaged."""
    runs = tmp_path / "made"
    make_run(runs, {}, [result(20.0)], method="clip4clip")
    return runs, make_run(runs, {}, [result(40.0)])[0]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_refuses_is_one_line_wherever_it_happens(
    number: int, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = OSError(number, os.strerror(number), "/the/file")
    monkeypatch.setattr("core.running.pipeline.prepare_inputs", raising(error))
    assert_one_line(invoke(*ONE, "--runs", tmp_path), "/the/file", os.strerror(number), "BENCH_CACHE")


def test_folders_that_cannot_be_written_are_named(
    invoke: Callable[..., Result], made: tuple[Path, RunDirectory], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "inside"
    assert_one_line(invoke(*ONE, "--runs", inside), str(inside), "--runs")
    assert_one_line(invoke(*ONE, "--runs", tmp_path, BENCH_CACHE=str(inside)), str(inside), "BENCH_CACHE")
    assert_one_line(invoke("data", "list", BENCH_CACHE=str(inside)), str(inside), "BENCH_CACHE")
    assert_one_line(invoke("report", "--runs", made[0], "--out", inside), str(inside), "--out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "made"]


def test_a_full_disk_is_told_before_anything_is_generated(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = type(shutil.disk_usage("/"))(10**9, 10**9, 0)
    monkeypatch.setattr("core.paths.shutil.disk_usage", lambda _: usage)
    result = invoke("data", "prepare", "avworld-tiny", BENCH_CACHE=str(tmp_path))
    assert_one_line(result, "MB are free", "are missing", "BENCH_CACHE")
    assert not list(tmp_path.rglob("*.mp4"))


@pytest.fixture
def linked_cache(materials: RunInputs, tmp_path: Path) -> Path:
    """A cache whose files are links into the shared one, so that a test can damage one of them."""
    root = Path(os.environ["BENCH_CACHE"])
    copy = tmp_path / "cache"
    for folder in (root / "datasets", root / "features"):
        copy.mkdir(exist_ok=True)
        (copy / folder.name).symlink_to(folder, target_is_directory=True)
    store = copy / "stores" / materials.store.folder.name
    store.mkdir(parents=True)
    for file in materials.store.folder.iterdir():
        if file.name != "lock":
            (store / file.name).symlink_to(file)
    return copy


@pytest.mark.parametrize("name", ["pixels-00000.npy", "sound-00001.npy", "clips.parquet", "manifest.json"])
def test_a_damaged_store_is_named(
    name: str, invoke: Callable[..., Result], linked_cache: Path, materials: RunInputs, tmp_path: Path
) -> None:
    file = linked_cache / "stores" / materials.store.folder.name / name
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])
    result = invoke(*ONE, "--runs", tmp_path / "runs", BENCH_CACHE=str(linked_cache))
    assert_one_line(result, str(file), "delete")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "name", ["metrics.json", "manifest.json", "spec.json", "status.json", "queries.parquet"]
)
def test_a_report_names_a_damaged_run_and_goes_on_with_the_others(
    name: str, invoke: Callable[..., Result], made: tuple[Path, RunDirectory]
) -> None:
    runs, gaid = made
    file = gaid.path / name
    file.write_bytes(file.read_bytes()[:-20])
    result = invoke("report", "--runs", runs)
    assert result.exit_code == 0
    assert f"left out: {file}" in result.stdout.replace("\n", "")
    assert "CLIP4Clip" in result.stdout
    assert "| GAID |" not in (runs / "report" / "report.md").read_text()


def test_a_report_leaves_out_what_is_not_finished_and_says_so(
    invoke: Callable[..., Result], made: tuple[Path, RunDirectory]
) -> None:
    runs, gaid = made
    gaid.set_status("interrupted")
    result = invoke("report", "--runs", runs)
    assert result.exit_code == 0
    assert "interrupted; the same `bench run` continues it" in result.stdout
    assert "| GAID |" not in (runs / "report" / "report.md").read_text()


def test_damaged_gates_are_named(invoke: Callable[..., Result], materials: RunInputs, tmp_path: Path) -> None:
    directory, _ = make_run(
        tmp_path,
        {},
        [result(40.0)],
        gates={"test": {"auroc": {"trained": {"within partial": 0.9}}}},
        fingerprints={"dataset": materials.dataset.fingerprint},
    )
    file = directory.path / "gates.safetensors"
    file.write_bytes(b"not tensors")
    assert_one_line(invoke("report", "--runs", tmp_path), str(file), "delete")
    make_run(tmp_path, {}, [result(20.0)], method="clip4clip")
    report = invoke("report", "--runs", tmp_path)
    assert report.exit_code == 0
    assert f"left out: {file}" in report.stdout.replace("\n", "")


def test_a_run_of_another_version_stops_neither_a_dry_run_nor_a_report(
    invoke: Callable[..., Result], made: tuple[Path, RunDirectory]
) -> None:
    runs, gaid = made
    (gaid.path / "status.json").write_text('{"state": "done", "schema": 0}')
    (gaid.path / "spec.json").write_text('{"architecture": "of yore"}')
    both = ("run", "--methods", "clip4clip,gaid", "--datasets", "avworld-tiny")
    assert invoke(*both, "--dry-run", "--runs", runs).exit_code == 0
    report = invoke("report", "--runs", runs)
    assert report.exit_code == 0
    assert "schema 0, this version reads 3" in report.stdout


def test_a_dry_run_names_a_damaged_run(
    invoke: Callable[..., Result], made: tuple[Path, RunDirectory]
) -> None:
    runs, gaid = made
    (gaid.path / "spec.json").write_text('{"architecture": "of yore"}')
    assert_one_line(invoke(*ONE, "--dry-run", "--runs", runs), str(gaid.path / "spec.json"), "delete")


def test_a_report_of_nothing_says_what_to_do(invoke: Callable[..., Result], tmp_path: Path) -> None:
    assert_one_line(invoke("report", "--runs", tmp_path), str(tmp_path), "bench run")
    assert not list(tmp_path.iterdir())
