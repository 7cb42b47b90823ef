"""The pytest-benchmark suite and the commands that read its files."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmarks.timing import compare, ratios
from benchmarks.timing.cases import WORKS, Case, cases, parse_sizes
from benchmarks.timing.clock import ScalingClock
from benchmarks.timing.compare import changes
from benchmarks.timing.ratios import growth_rows, memory_rows, ratio_rows
from benchmarks.timing.results import read_entries
from core.errors import BenchError

ROOT = Path(__file__).parents[2]


def made_file(path: Path, *entries: tuple[str, str, int, int, bool, float]) -> Path:
    """A result with entries (work, implementation, texts, videos, index included, seconds)."""
    benchmarks: list[dict[str, Any]] = [
        {
            "stats": {"median": seconds},
            "extra_info": {
                "work": work,
                "implementation": implementation,
                "texts": texts,
                "videos": videos,
                "index_included": index,
                "peak_bytes": 4 * texts * videos + 5 * 2**20,
                "output_bytes": 4 * texts * videos,
            },
        }
        for work, implementation, texts, videos, index, seconds in entries
    ]
    path.write_text(json.dumps({"benchmarks": benchmarks}))
    return path


def called(main: Callable[..., None], *arguments: object) -> Result:
    app = typer.Typer()
    app.command()(main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of the suite on the smallest sizes, run as the documentation says."""
    path = tmp_path_factory.mktemp("suite") / "timing.json"
    arguments = ("benchmarks/timing", "--benchmark-only", f"--benchmark-json={path}", "--sizes", "3x2")
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT,
        env=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.slow
def test_every_entry_says_what_it_is_the_time_of(small_run: dict[str, Any]) -> None:
    found = set()
    for benchmark in small_run["benchmarks"]:
        info = benchmark["extra_info"]
        assert (info["texts"], info["videos"]) == (3, 2)
        assert info["peak_bytes"] is not None
        assert info["output_bytes"] == 4 * 3 * 2
        assert info["wall_seconds"] > 0
        assert benchmark["group"] == f"{info['work']} 3x2"
        assert benchmark["stats"]["median"] > 0
        found.add((info["work"], info["implementation"], info["index_included"]))
    assert found == {
        (w, i, included) for w in WORKS for i in ("tiled", "exact") for included in (False, True)
    }


def test_the_suite_is_no_part_of_the_ordinary_tests(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("testpaths") == ["tests"]


def test_time_that_is_scaled_counts_several_times_and_other_time_once() -> None:
    now = [10.0]

    def source() -> float:
        return now[0]

    clock = ScalingClock(source)
    start = clock()
    now[0] += 2  # the index
    with clock.scaled(5):
        now[0] += 3  # a fifth of the texts
    assert clock() - start == 2 + 5 * 3


def test_a_sample_scores_so_many_pairs_and_never_no_text() -> None:
    assert Case("gaid", "tiled", 1000, 1000, True).sampled_texts == 16
    assert Case("gaid", "tiled", 1000, 50_000, True).sampled_texts == 1
    assert Case("gaid", "tiled", 10, 10, True).sampled_texts == 10
    assert Case("gaid", "exact", 1000, 1000, True).sampled_texts == 1000


def test_sizes_are_texts_by_videos() -> None:
    assert parse_sizes("1000x1000,5000x1000") == [(1000, 1000), (5000, 1000)]
    assert len(list(cases([(5, 4), (3, 2)]))) == 2 * len(WORKS) * 4


@pytest.mark.parametrize("text", ["1000", "10x", "0x10", "axb", "", "1x2x3"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(BenchError, match="TEXTSxVIDEOS"):
        parse_sizes(text)


def test_ratios_are_tiled_by_exact_time(tmp_path: Path) -> None:
    path = made_file(
        tmp_path / "a.json",
        ("xpool", "tiled", 10, 20, True, 12.0),
        ("xpool", "exact", 10, 20, True, 0.5),
        ("xpool", "tiled", 10, 20, False, 11.0),
        ("xpool", "exact", 10, 20, False, 0.25),
        ("stp-fresh", "tiled", 10, 20, True, 60.0),
        ("stp-per-text", "exact", 10, 20, True, 3.0),
    )
    assert list(ratio_rows(read_entries(path))) == [
        ("10 x 20", "xpool against tiles of xpool", "24.0x", "44.0x"),
        ("10 x 20", "stp-per-text against tiles of stp-fresh", "20.0x", "–"),
    ]
    assert "24.0x" in called(ratios.main, path).stdout


def test_growth_is_shown_where_a_size_has_twice_the_texts(tmp_path: Path) -> None:
    path = made_file(
        tmp_path / "a.json",
        ("xpool", "exact", 5000, 1000, True, 2.0),
        ("xpool", "exact", 10_000, 1000, True, 4.2),
        ("xpool", "exact", 10_000, 2000, True, 9.0),
    )
    [(what, ratio)] = growth_rows(read_entries(path))
    assert what.endswith("against 5,000 x 1,000")
    assert ratio == "2.10x"


def test_memory_is_what_lies_above_the_scores(tmp_path: Path) -> None:
    path = made_file(tmp_path / "a.json", ("xpool", "exact", 10, 20, False, 1.0))
    assert list(memory_rows(read_entries(path))) == [("xpool 10 x 20, exact, score only", "5.0 MB")]


def test_a_regression_is_found_and_makes_the_exit_code_1(tmp_path: Path) -> None:
    same, slower = ("dasp", "exact", 10, 20, True), ("xpool", "exact", 10, 20, True)
    old = made_file(tmp_path / "old.json", (*same, 1.0), (*slower, 1.0))
    new = made_file(tmp_path / "new.json", (*same, 1.1), (*slower, 1.4))
    worst, other = changes(read_entries(old), read_entries(new))
    assert (worst.key.work, worst.ratio, other.ratio) == ("xpool", 1.4, 1.1)
    result = called(compare.main, old, new)
    assert result.exit_code == 1
    assert result.stdout.count("regression") == 1
    assert "1 of 2 entries are slower" in result.stdout
    assert called(compare.main, old, new, "--threshold", 1.5).exit_code == 0
    assert called(compare.main, new, old).exit_code == 0


def test_entries_of_one_file_only_are_named(tmp_path: Path) -> None:
    common, gone = ("dasp", "exact", 10, 20, True, 1.0), ("xpool", "exact", 10, 20, True, 1.0)
    old, new = made_file(tmp_path / "old.json", common, gone), made_file(tmp_path / "new.json", common)
    assert "xpool 10 x 20, exact, with index" in called(compare.main, old, new).stdout


def test_files_without_a_common_entry_are_refused(tmp_path: Path) -> None:
    old = made_file(tmp_path / "old.json", ("dasp", "exact", 10, 20, True, 1.0))
    new = made_file(tmp_path / "new.json", ("dasp", "exact", 10, 30, True, 1.0))
    assert called(compare.main, old, new).exit_code == 2


@pytest.mark.parametrize("content", ["", "[]", '{"benchmarks": [{}]}', '{"benchmarks": []}', "{"])
def test_a_file_that_is_none_of_the_suites_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(BenchError, match=r"other\.json"):
        read_entries(path)
