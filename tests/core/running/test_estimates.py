"""An estimate before anything has run: from the table of measured cells, and the dry run says so."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from core.cli.plan import records_of, show
from core.plugins import METHODS, names_of
from core.resolving import resolve
from core.running import estimates
from core.running.estimates import Timing, estimate_of, measured_rows, measured_timings
from core.running.experiment import load_experiment
from core.spec import RunSpec

ROWS = """method,dataset,settings,training_seconds,other_seconds,machine,date
gaid,avworld,,100.0,10.0,"x86_64, 2 cores, no GPU",2026-11-28
gaid,avworld,training.mode=text-tuned;training.epochs=12,300.0,10.0,"x86_64, 2 cores, no GPU",2026-11-29
gone,avworld,,1.0,1.0,"x86_64, 2 cores, no GPU",2026-11-29
xpool,avworld,config.no_such_key=1,1.0,1.0,"x86_64, 2 cores, no GPU",2026-11-29
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    file = tmp_path / "measured_seconds.csv"
    file.write_text(ROWS, encoding="utf-8")
    monkeypatch.setattr(estimates, "MEASURED_FILE", file)
    measured_rows.cache_clear()
    measured_timings.cache_clear()
    yield
    measured_rows.cache_clear()
    measured_timings.cache_clear()


def gaid(**keys: object) -> RunSpec:
    return resolve("gaid", "avworld", {key.replace("__", "."): value for key, value in keys.items()})


def printed(specs: list[RunSpec], root: Path) -> str:
    text = io.StringIO()
    show(specs, root, 1, Console(file=text, width=300))
    return text.getvalue()


@pytest.mark.usefixtures("table")
def test_without_a_finished_cell_the_measured_one_counts_scaled_to_the_epochs() -> None:
    found = estimate_of(gaid(training__epochs=12), [])
    assert found is not None
    assert (found.seconds, found.source) == (100 * 12 / gaid().training.epochs + 10, "measured_seconds.csv")
    tuned = estimate_of(gaid(training__mode="text-tuned", training__epochs=6), [])
    assert tuned is not None
    assert tuned.seconds == 300 * 6 / 12 + 10


@pytest.mark.usefixtures("table")
def test_a_cell_that_finished_here_counts_more_than_one_measured_elsewhere() -> None:
    found = estimate_of(gaid(), [Timing(gaid(config__alpha=0.25), 7, 1)])
    assert found is not None
    assert (found.seconds, found.source) == (8, "finished cells")


@pytest.mark.usefixtures("table")
def test_rows_of_other_methods_keys_and_modes_estimate_nothing() -> None:
    assert [timing.spec.method for timing in measured_timings()] == ["gaid", "gaid"]
    assert estimate_of(gaid(training__mode="finetune"), []) is None
    assert estimate_of(resolve("xpool", "avworld", {}), []) is None


@pytest.mark.usefixtures("table")
def test_the_dry_run_says_where_its_estimate_comes_from(tmp_path: Path) -> None:
    text = printed([gaid(), resolve("xpool", "avworld", {})], tmp_path)
    assert text.count(" 110 s *│") == 1
    assert "at least 110 s, plus 1 cell of unknown length" in text
    assert "unknown, 1 cell: no cell of X-Pool was timed; once it has run, cells like it can be" in text
    assert "(benchmarks/measured_seconds.csv: x86_64, 2 cores, no GPU, 2026-11-28 to 2026-11-29)" in text
    records = records_of([gaid(), resolve("xpool", "avworld", {})], tmp_path)
    assert [record["seconds"] for record in records] == [110, None]
    assert [record["estimated_from"] for record in records] == ["measured_seconds.csv", None]
    assert [record["unknown_because"] for record in records] == [None, "no cell of X-Pool was timed"]
    json.dumps(records)


def test_every_method_of_the_shipped_comparisons_was_measured() -> None:
    measured = {timing.spec.method for timing in measured_timings()}
    assert len(measured_timings()) == len(measured_rows())
    for name in ("default", "avworld-methods"):
        for block in load_experiment(name).blocks:
            assert set(block.methods) <= measured
    assert measured <= (names_of(METHODS) or set())


def test_a_narrow_terminal_cuts_nothing_of_the_cells(tmp_path: Path) -> None:
    text = io.StringIO()
    show([gaid(training__mode="finetune")], tmp_path, 1, Console(file=text, width=80))
    for words in ("avworld-whisper", "text-conditioned", "perturbation", "unknown"):
        assert words in text.getvalue()
    assert "training.mode=finetune" in text.getvalue()
    assert "…" not in text.getvalue()
    assert max(map(len, text.getvalue().splitlines())) <= 80
