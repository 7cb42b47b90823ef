"""An answer about files is kept until one of them changes, and found anew where it cannot be kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.remembered import remembered


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often a question about a file has been asked, after asking once more."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("one")
    count = 0

    def ask() -> dict[str, Any]:
        nonlocal count
        count += 1
        return {"length": len((tmp_path / "file").read_text())}

    def again() -> int:
        found = remembered("lengths", [tmp_path / "file"], ["length"], ask)
        assert found == {"length": len((tmp_path / "file").read_text())}
        return count

    return again


def test_a_question_is_asked_once_until_the_file_changes(asked: Callable[[], int], tmp_path: Path) -> None:
    assert [asked(), asked()] == [1, 1]
    (tmp_path / "file").write_text("three")
    assert [asked(), asked()] == [2, 2]


@pytest.mark.parametrize("damage", ["", "{", "[1]", "null"])
def test_a_damaged_answer_is_asked_for_again(asked: Callable[[], int], tmp_path: Path, damage: str) -> None:
    asked()
    (kept,) = (tmp_path / "cache" / "lengths").iterdir()
    kept.write_text(damage)
    assert [asked(), asked()] == [2, 2]


def test_without_a_cache_it_is_asked_each_time(
    asked: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "no-folder"))
    assert [asked(), asked()] == [1, 2]
