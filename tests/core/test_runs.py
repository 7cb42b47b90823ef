"""Run folders: whole files or none, states that a kill cannot falsify, one process at a time."""

import os
import shutil
from pathlib import Path

import pytest

from core.errors import BenchError
from core.paths import cache_root, require_space, written_whole
from core.resolving import resolve
from core.runs import RunDirectory, find_runs, open_run, write_json


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return open_run(tmp_path, resolve("gaid", "avworld", {}), "0123abcd")


def test_a_run_is_named_after_method_data_and_hash(directory: RunDirectory) -> None:
    assert directory.path.name == "gaid-avworld-0123abcd"
    assert directory.read_json("spec.json")["method"] == "gaid"


def test_a_folder_becomes_a_run_with_its_first_status(directory: RunDirectory, tmp_path: Path) -> None:
    assert find_runs(tmp_path) == []
    directory.set_status("running")
    assert not directory.is_done()
    directory.set_status("done")
    assert directory.is_done()
    assert find_runs(tmp_path) == [directory]


def test_a_spec_is_written_where_it_is_missing_or_damaged_and_otherwise_left_alone(
    directory: RunDirectory, tmp_path: Path
) -> None:
    file = directory.path / "spec.json"
    text, before = file.read_text(), file.stat()
    open_run(tmp_path, resolve("gaid", "avworld", {}), "0123abcd")
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    for damaged in ("", "{", text.replace("gaid", "tmass")):
        file.write_text(damaged)
        open_run(tmp_path, resolve("gaid", "avworld", {}), "0123abcd")
        assert file.read_text() == text


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    write_json(file, {"old": 1})
    with pytest.raises(RuntimeError, match="killed"), written_whole(file) as temporary:
        temporary.write_text('{"half"')
        raise RuntimeError("killed")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
    assert file.read_text().strip().startswith('{\n "old"')


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_a_damaged_file_is_named(directory: RunDirectory, content: str) -> None:
    (directory.path / "status.json").write_text(content)
    with pytest.raises(BenchError, match="status.json"):
        directory.status()


def test_two_processes_do_not_run_one_cell(directory: RunDirectory) -> None:
    with directory.locked(), pytest.raises(BenchError, match="another process"), directory.locked():
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="--runs"):
        open_run(tmp_path / "file", resolve("gaid", "avworld", {}), "0")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(BenchError, match="BENCH_CACHE"):
        cache_root()


def test_a_full_disk_is_told_before_work_begins(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"are needed and .* are free, so .* are missing"):
        require_space(tmp_path, 10**18)


@pytest.mark.parametrize(("needed", "free", "missing"), [(100, 100, None), (101, 100, "0"), (5e9, 2e9, "3")])
def test_space_is_missing_from_the_first_byte_on(
    needed: float, free: int, missing: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free}))
    if missing is None:
        require_space(tmp_path, needed)
        return
    with pytest.raises(BenchError, match=rf"so {missing}\.0 .B are missing; use another disk"):
        require_space(tmp_path, needed, "use another disk")


@pytest.mark.parametrize("lasting", [True, False])
def test_a_file_that_is_to_last_is_on_the_disk_before_it_has_its_name(
    lasting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, replace, fsync = [], os.replace, os.fsync

    def noting_replace(old: Path, new: Path) -> None:
        done.append("rename")
        replace(old, new)

    def noting_fsync(descriptor: int) -> None:
        done.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    monkeypatch.setattr(os, "replace", noting_replace)
    monkeypatch.setattr(os, "fsync", noting_fsync)
    with written_whole(tmp_path / "a", lasting=lasting) as temporary:
        temporary.write_text("whole")
    assert done == ([temporary.name, "rename", tmp_path.name] if lasting else ["rename"])
    assert (tmp_path / "a").read_text() == "whole"


@pytest.mark.parametrize(("left", "state"), [("{", "done"), (None, None)], ids=["damaged", "deleted"])
def test_a_finished_cell_keeps_its_state_where_its_spec_is_damaged_and_not_where_that_was_deleted(
    left: str | None, state: str | None, tmp_path: Path
) -> None:
    spec = resolve("gaid", "avworld", {})
    directory = open_run(tmp_path, spec, "0123abcd")
    directory.set_status("done")
    (directory.path / "spec.json").unlink()
    if left:
        (directory.path / "spec.json").write_text(left)
    assert open_run(tmp_path, spec, "0123abcd").status().get("state") == state
    assert directory.read_spec() == spec
