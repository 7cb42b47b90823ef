"""Building an index: what is new joins, what is gone leaves, and nothing is lost on the way."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import index_videos, open_index
from core.errors import BenchError
from core.running.trained import TrainedRun
from core.search import building
from core.search.layout import IndexFolder

pytestmark = pytest.mark.slow


def names(out: Path, run: TrainedRun) -> set[str]:
    """The files that a search finds."""
    return {Path(hit.path).name for hit in open_index(out, run).search(["a bell"], k=100)[0]}


def test_a_build_names_what_cannot_be_used(built: Path, clips: Path, run: TrainedRun) -> None:
    manifest = IndexFolder(built).read()
    assert manifest.videos == 6 and manifest.passed_over == 1
    assert list(manifest.unusable) == ["broken.mp4"]
    assert names(built, run) == {f"clip-{n}.mp4" for n in range(6)}
    assert not (built / building.WORK).exists()


def test_a_second_call_adds_new_files_and_forgets_removed_and_changed_ones(
    built: Path, clips: Path, run: TrainedRun, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(clips, tmp_path / "clips"))
    out = Path(shutil.copytree(built, tmp_path / "index"))
    shutil.copy(folder / "clip-1.mp4", folder / "new.mp4")
    (folder / "clip-2.mp4").unlink()
    shutil.copy(folder / "clip-4.mp4", folder / "clip-3.mp4")
    (folder / "broken.mp4").unlink()
    found = index_videos(run, folder, out)
    assert (found.videos, found.added, found.removed, dict(found.unusable)) == (6, 2, 2, {})
    assert names(out, run) == {
        "clip-0.mp4",
        "clip-1.mp4",
        "clip-3.mp4",
        "clip-4.mp4",
        "clip-5.mp4",
        "new.mp4",
    }
    parts = {file.name: file.stat().st_mtime_ns for file in (out / "parts").iterdir()}
    again = index_videos(run, folder, out)
    assert (again.videos, again.added, again.removed) == (6, 0, 0)
    assert {file.name: file.stat().st_mtime_ns for file in (out / "parts").iterdir()} == parts


def interrupted(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


def full(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_killed_build_and_a_full_disk_keep_what_was_done(
    clips: Path, run: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PART_VIDEOS", 4)
    out, written = tmp_path / "index", building.written_part
    monkeypatch.setattr(building, "written_part", lambda *a: interrupted() if a[2] == 1 else written(*a))
    with pytest.raises(KeyboardInterrupt):
        index_videos(run, clips, out)
    first = (out / "parts" / "00000").stat().st_mtime_ns
    with pytest.raises(BenchError, match="is not finished; the same `bench index` continues it"):
        open_index(out, run)
    monkeypatch.setattr(building, "written_part", written)
    with monkeypatch.context() as patched:
        patched.setattr(np, "save", full)
        with pytest.raises(BenchError, match="the disk is full; what was indexed is kept"):
            index_videos(run, clips, out)
    assert sorted(child.name for child in (out / "parts").iterdir()) == ["00000"]
    found = index_videos(run, clips, out)
    assert found.videos == 6
    assert (out / "parts" / "00000").stat().st_mtime_ns == first


def test_a_folder_without_a_video_and_an_index_of_another_run_are_one_line(
    built: Path, clips: Path, run: TrainedRun, tmp_path: Path
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no video")
    with pytest.raises(BenchError, match="no video among 1 files"):
        index_videos(run, tmp_path / "texts", tmp_path / "index")
    with pytest.raises(BenchError, match="no such folder"):
        index_videos(run, tmp_path / "missing", tmp_path / "index")
    other = Path(shutil.copytree(built, tmp_path / "other"))
    content = json.loads((other / "index.json").read_text())
    (other / "index.json").write_text(json.dumps({**content, "model": "other"}))
    with pytest.raises(BenchError, match="is an index of another run"):
        index_videos(run, clips, other)
    with pytest.raises(BenchError, match="holds other files"):
        index_videos(run, clips, clips)


@pytest.mark.parametrize("name", ["basis.bin", "vectors.npy", "videos.parquet"])
def test_a_changed_byte_is_found_and_an_unchanged_file_is_read_once(
    name: str, built: Path, clips: Path, run: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(built, tmp_path / "index"))
    open_index(out, run)
    file = out / "parts" / "00000" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    with monkeypatch.context() as patch:
        patch.setattr("core.checksums._verified", {})  # as in another process
        patch.setattr("core.checksums.checksum", lambda *_: pytest.fail("an unchanged file is read again"))
        open_index(out, run)
    file.write_bytes(content)
    for opened in (lambda: open_index(out, run), lambda: index_videos(run, clips, out)):
        with pytest.raises(BenchError, match=rf"{name} is damaged \(does not have the checksum"):
            opened()


def test_what_was_checked_may_be_lost(built: Path, run: TrainedRun, tmp_path: Path) -> None:
    out = Path(shutil.copytree(built, tmp_path / "index"))
    open_index(out, run)
    kept = (out / "checked.json").read_text()
    for content in ("", "{", "[]", json.dumps(dict.fromkeys(json.loads(kept), 3))):
        (out / "checked.json").write_text(content)
        open_index(out, run)
        assert (out / "checked.json").read_text() == kept


def test_a_damaged_part_is_named_and_made_again(
    built: Path, clips: Path, run: TrainedRun, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(built, tmp_path / "index"))
    part = out / "parts" / "00000"
    (part / "basis.bin").write_bytes(b"")
    with pytest.raises(BenchError, match=r"basis.bin is damaged .* delete the folder"):
        open_index(out, run)
    shutil.rmtree(part)
    assert index_videos(run, clips, out).added == 6
