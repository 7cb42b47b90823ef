"""Clips with the same bytes and captions with the same words are counted, across splits and within one."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from core.dataset import Split, Video
from core.datasets import load_dataset
from core.datasets.duplicates import HEAD_BYTES, repeated
from core.datasets.locations import Location, save_location
from core.progress import Silent
from core.resolving import resolve
from core.running.announcing import Announcer
from tests.core.datasets import small_copies as small

pytestmark = pytest.mark.usefixtures("project")

Counts = list[tuple[str, str, str, int, int, str]]


def splits(folder: Path, **parts: dict[str, tuple[bytes, str]]) -> dict[str, Split]:
    """Splits of clips with that content and that caption each."""
    for part in parts.values():
        for name, (content, _) in part.items():
            small.write(folder / name, content)
    return {
        name: Split(
            tuple(Video(video, folder / video) for video in part),
            tuple(caption for _, caption in part.values()),
            tuple(range(len(part))),
        )
        for name, part in parts.items()
    }


def counts(found: dict[str, Split]) -> Counts:
    return [(r.what, r.split, r.also_in, r.count, r.of, r.example) for r in repeated(found)]


def test_copies_are_counted_across_splits_and_within_one(tmp_path: Path) -> None:
    a, b, c = (
        b"a" * 3 * HEAD_BYTES,
        b"b" * 3 * HEAD_BYTES,
        b"b" * 2 * HEAD_BYTES + b"c" * HEAD_BYTES,
    )  # b and c begin alike
    found = splits(
        tmp_path,
        train={"t1": (a, "one"), "t2": (b, "two"), "t3": (b"short", "three")},
        val={"v1": (c, "four")},
        test={"s1": (b, "five"), "s2": (a, "six"), "s3": (a, "seven"), "s4": (b"other", "eight")},
    )
    assert counts(found) == [
        ("clips", "test", "train", 3, 4, "s1 = t2"),
        ("clips", "test", "test", 2, 4, "s2 = s3"),
    ]
    line = "3 of 4 test clips are byte-identical with clips of train; first: s1 = t2"
    assert repeated(found)[0].in_words() == line


def test_empty_files_and_windows_of_one_film_are_no_copies(tmp_path: Path) -> None:
    found = splits(tmp_path, train={"t": (b"", "one")}, test={"s": (b"", "two")})
    assert counts(found) == []
    small.write(tmp_path / "film", b"f")
    windows = {
        name: Split((Video(name, tmp_path / "film", start, start + 1),), (name,), (0,))
        for name, start in (("train", 0.0), ("test", 1.0))
    }
    assert counts(windows) == []


def test_captions_are_compared_as_the_towers_read_them(tmp_path: Path) -> None:
    found = splits(
        tmp_path,
        train={"t1": (b"1", "A dog runs."), "t2": (b"2", "a dog runs.")},
        test={"s1": (b"3", " a  DOG runs."), "s2": (b"4", "A cat runs.")},
    )
    assert counts(found) == [("captions", "test", "train", 1, 2, "'a dog runs.'")]


def test_a_row_that_comes_twice_is_counted(tmp_path: Path) -> None:
    video = Video("s", small.write(tmp_path / "s", b"s"))
    found = {"test": Split((video,), ("a cat", "A cat", "a dog"), (0, 0, 0))}
    assert counts(found) == [("captions", "test", "test", 2, 3, "'a cat'")]


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """A folder whose test has two clips of train, one of them twice, and one caption of train."""
    root = tmp_path / "v"
    rows = [
        ("a", "train", "red"),
        ("b", "train", "blue"),
        ("c", "test", "red"),
        ("d", "test", "x"),
        ("e", "test", "y"),
    ]
    for name, content in zip("abcde", (b"1", b"2", b"1", b"2", b"5"), strict=True):
        small.write(root / f"{name}.mp4", content)
    lines = [f"{name},{caption},{split}" for name, split, caption in rows]
    return small.write_lines(tmp_path / "t.csv", ["video,caption,split", *lines])


LINE = "2 of 3 test clips are byte-identical with clips of train; first: c = a"


def test_the_check_counts_them(leaking: Path, tmp_path: Path, invoke: Callable[..., Result]) -> None:
    place = ("--videos", tmp_path / "v", "--captions", leaking, "--set", "data.holdout=0", "--quick")
    shown = invoke("data", "check", "folder", *place).stdout
    assert f"note: {LINE}" in shown
    assert "note: 1 of 3 test captions are identical with captions of train; first: 'red'" in shown
    (clips, captions) = json.loads(invoke("data", "check", "folder", *place, "--json").stdout)["repeated"]
    assert clips == {
        "what": "clips",
        "split": "test",
        "also_in": "train",
        "count": 2,
        "of": 3,
        "example": "c = a",
    }
    assert (captions["count"], captions["of"]) == (1, 3)


def test_a_run_says_which_test_clips_it_trains_on_and_so_does_its_protocol(
    leaking: Path, tmp_path: Path
) -> None:
    save_location("folder", Location(annotations=leaking, videos=tmp_path / "v"))
    said: list[str] = []

    class Lines(Silent):
        def say(self, line: str, tone: str = "") -> None:
            said.append(line)

    Announcer(Lines()).listed([resolve("gaid", "folder", {"data.holdout": 0})])
    assert said[1:] == [f"note: folder: {LINE}"]
    load = lambda: load_dataset("folder", Silent(), workers=1, options={"holdout": 0})  # noqa: E731
    assert load().protocol["clips seen in training"] == LINE
    before = load().fingerprint
    (tmp_path / "v" / "a.mp4").write_bytes(b"9")
    (tmp_path / "v" / "b.mp4").write_bytes(b"8")
    assert "clips seen in training" not in load().protocol
    assert load().fingerprint == before


def test_a_copy_that_is_changed_without_changing_its_size_is_noticed(tmp_path: Path) -> None:
    found = splits(tmp_path, train={"t": (b"1", "one")}, test={"s": (b"1", "two")})
    assert len(counts(found)) == 1
    (tmp_path / "s").write_bytes(b"2")
    os.utime(tmp_path / "s", ns=(1, 1))
    assert counts(found) == []
