"""Generating a world: interrupted, resumed, refused, and alone among several processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from core.dataset import Dataset
from core.datasets import load_dataset, registered_datasets
from core.datasets.avworld.draw import draw_split
from core.datasets.avworld.generate import generate, is_complete
from core.datasets.avworld.reader import is_ready, load_world
from core.datasets.avworld.world import WORLDS, SoundWorld, world_folder
from core.errors import BenchError
from core.progress import Advance, Silent

pytestmark = pytest.mark.slow

SMALL = SoundWorld(train=20, val=20, test=20, test_multi=20)


class Counting:
    """Notes each task and the units that it was advanced by."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """See `core.progress.Progress`."""
        self.done[description] = 0

        def advance(units: int, note: str) -> None:
            self.done[description] += units

        yield advance

    def say(self, line: str) -> None:
        """See `core.progress.Progress`."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    monkeypatch.setitem(WORLDS, "small", SMALL)
    return tmp_path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "small"
    generate("small", SMALL, folder, Silent(), 1)
    return folder


@pytest.fixture
def folder(made: Path) -> Path:
    return Path(shutil.copytree(made, world_folder("small")))


def load() -> Dataset:
    return load_world("small", Silent(), workers=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_worlds_are_known_by_name_and_a_misspelt_one_is_answered_with_the_nearest() -> None:
    assert {"avworld", "avworld-tiny", "avworld-ideas"} <= set(registered_datasets())
    with pytest.raises(BenchError, match="unknown dataset 'avwrld'; did you mean 'avworld'"):
        load_dataset("avwrld", Silent(), workers=1)


def test_generation_reports_every_clip_and_a_second_load_generates_nothing() -> None:
    first, second = Counting(), Counting()
    assert not is_ready("small")
    one = load_world("small", first, workers=1)
    assert first.done == {"small: generating clips": 80}
    assert is_ready("small")
    before = contents(world_folder("small"))
    assert load_world("small", second, workers=1) == one
    assert second.done == {} and contents(world_folder("small")) == before


def test_two_worker_processes_write_the_same_bytes_as_one(made: Path, tmp_path: Path) -> None:
    generate("small", SMALL, tmp_path / "shared", Silent(), 2)
    assert contents(tmp_path / "shared") == contents(made)


def test_missing_clips_are_made_again_with_their_groups_and_the_others_left_alone(
    made: Path, folder: Path
) -> None:
    single = next(g for g in draw_split(SMALL, "test") if len(g) == 1)
    quartet = next(g for g in draw_split(SMALL, "train") if len(g) == 4)
    (folder / "test" / f"{single[0].id}.mp4").unlink()
    (folder / "train" / f"{quartet[2].id}.mp4").unlink()
    untouched = {file: file.stat().st_mtime_ns for file in (folder / "val").glob("*.mp4")}
    progress = Counting()
    load_world("small", progress, workers=1)
    assert progress.done == {"small: generating clips": 5}
    assert contents(folder) == contents(made)
    assert untouched == {file: file.stat().st_mtime_ns for file in untouched}


@pytest.mark.parametrize("file", ["val/scripts.jsonl", "captions.jsonl"])
def test_missing_scripts_and_captions_are_written_again(file: str, made: Path, folder: Path) -> None:
    (folder / file).unlink()
    load()
    assert contents(folder) == contents(made)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_generation_leaves_whole_files_only_and_continues(
    signum: signal.Signals, made: Path, cache: Path
) -> None:
    folder, config = cache / "world", SoundWorld()
    program = (
        "from pathlib import Path\n"
        "from core.datasets.avworld.generate import generate\n"
        "from core.datasets.avworld.world import SoundWorld\n"
        "from core.progress import Silent\n"
        "if __name__ == '__main__':\n"
        f"    generate('world', SoundWorld(), Path({str(folder)!r}), Silent(), 2)\n"
    )
    (cache / "program.py").write_text(program)
    process = subprocess.Popen(
        [sys.executable, str(cache / "program.py")], start_new_session=True, stderr=subprocess.PIPE
    )
    while len(list(folder.glob("*/*.mp4"))) < 8:
        assert process.poll() is None
        time.sleep(0.02)
    # A terminal sends Ctrl-C to the whole group of processes; a kill meets the parent alone.
    os.killpg(process.pid, signum) if signum == signal.SIGINT else process.kill()
    _, errors = process.communicate(timeout=180)
    assert process.returncode == -signum
    wait_for_the_workers_of(process.pid)
    assert not is_complete(config, folder)
    clips = list(folder.glob("*/*.mp4"))
    for clip in clips:
        with av.open(str(clip)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 32
    if signum == signal.SIGINT:
        assert not list(folder.rglob("*.part"))
        assert errors.count(b"Traceback") == 1  # the parent's own; the command line turns it into a line
    # The groups of the small world are groups of the large one too: taking over its folder completes them.
    generate("small", SMALL, folder, Silent(), 1)
    assert not list(folder.rglob("*.part"))
    expected = contents(made)
    assert {name: data for name, data in contents(folder).items() if name in expected} == expected


def wait_for_the_workers_of(session: int) -> None:
    """Waits until no process of a session is left: workers must not outlive their parent."""
    for _ in range(500):
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("a worker outlives its parent")


def test_of_two_processes_one_generates_and_the_other_waits_for_it(cache: Path, made: Path) -> None:
    program = (
        "import sys\n"
        "from core.datasets.avworld.reader import load_world\n"
        "from core.datasets.avworld.world import WORLDS, SoundWorld\n"
        "from core.progress import Silent\n"
        "WORLDS['small'] = SoundWorld(train=20, val=20, test=20, test_multi=20)\n"
        "if __name__ == '__main__':\n"
        "    print(len(load_world('small', Silent(), workers=1).splits['test'].videos))\n"
    )
    (cache / "program.py").write_text(program)
    command = [sys.executable, str(cache / "program.py")]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in pair] == ["20\n", "20\n"]
    assert contents(world_folder("small")) == contents(made)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 0}'])
def test_a_damaged_or_foreign_record_is_refused_with_the_folder_to_delete(folder: Path, text: str) -> None:
    (folder / "world.json").write_text(text)
    with pytest.raises(BenchError, match=r"world\.json is damaged .* delete .*small-\w{12} and run again"):
        load()


@pytest.mark.parametrize("damage", ["not json\n", "{}\n", ""])
def test_damaged_scripts_are_refused_with_the_file_to_delete(folder: Path, damage: str) -> None:
    file = folder / "test" / "scripts.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:-1], damage]))
    with pytest.raises(BenchError, match=r"scripts\.jsonl is damaged; delete it and run again"):
        load()
    file.unlink()
    load()


def test_a_full_disk_is_noticed_before_any_clip_is_made(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10, 9, 1))
    with pytest.raises(BenchError, match=r"are needed and 0\.0 MB are free"):
        load()
    assert not list(cache.rglob("*.mp4")) and not list(cache.rglob("world.json"))


def test_a_cache_that_cannot_be_written_is_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "file").touch()
    monkeypatch.setenv("BENCH_CACHE", str(cache / "file" / "below"))
    with pytest.raises(BenchError, match="cannot create the cache"):
        load()


def test_a_world_folder_that_cannot_be_written_is_one_line(cache: Path) -> None:
    (cache / "datasets").touch()
    with pytest.raises(BenchError, match=r"cannot write .*datasets.*; free it or set BENCH_CACHE"):
        load()


def test_an_error_in_a_worker_is_one_line_and_leaves_no_record(cache: Path) -> None:
    blocked = world_folder("small") / "train" / f"{draw_split(SMALL, 'train')[0][0].id}.mp4"
    (blocked / "in the way").mkdir(parents=True)
    with pytest.raises(BenchError, match=r"cannot write .*train"):
        load()
    assert not (world_folder("small") / "world.json").exists()
