"""What a dry run foretells: the nearest cell of the same cost, scaled to the epochs, or why there is none."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from core.cli.plan import records_of, show
from core.datasets import dataset_fingerprint
from core.errors import BenchError
from core.progress import seconds_in_words
from core.resolving import resolve
from core.running.code import code_fingerprint
from core.running.estimates import Timing, estimated_seconds
from core.running.plan import own_settings, read_past_runs
from core.runs import hardware
from core.spec import RunSpec
from tests.made_runs import make_run, result

WORLD = "avworld-tiny"


def gaid(**overrides: object) -> RunSpec:
    return resolve("gaid", WORLD, {key.replace("__", "."): value for key, value in overrides.items()})


def printed(specs: list[RunSpec], root: Path, workers: int | None = None) -> str:
    text = io.StringIO()
    show(specs, root, workers, Console(file=text, width=300))
    return text.getvalue()


def test_nothing_is_known_without_a_cell_of_the_same_method_data_and_mode() -> None:
    timings = [
        Timing(resolve("tmass", WORLD, {}), 10, 1),
        Timing(resolve("gaid", "avworld", {}), 10, 1),
        Timing(gaid(training__mode="finetune"), 10, 1),
    ]
    assert estimated_seconds(gaid(), []) is None
    assert estimated_seconds(gaid(), timings) is None


def test_training_time_grows_with_the_epochs_and_the_rest_does_not() -> None:
    assert (
        estimated_seconds(gaid(training__epochs=12), [Timing(gaid(training__epochs=4), 20, 5)]) == 20 * 3 + 5
    )


def test_the_cell_with_the_fewest_other_settings_counts_and_equals_are_averaged() -> None:
    timings = [
        Timing(gaid(config__alpha=0.1, training__lr_new=0.1), 100, 0),
        Timing(gaid(config__alpha=0.1, seeds__data=1), 10, 0),
        Timing(gaid(config__alpha=0.1, seeds__data=2), 20, 0),
    ]
    assert estimated_seconds(gaid(), timings) == 15
    assert estimated_seconds(gaid(config__alpha=0.2, training__lr_new=0.1, seeds__data=3), timings) == 100


def test_a_cell_that_was_continued_counts_all_its_training(tmp_path: Path) -> None:
    make_run(
        tmp_path,
        {},
        [result(40.0)],
        train_seconds=90.0,
        index_seconds=3.0,
        query_seconds=1.0,
        wall_seconds=30.0,
    )
    make_run(
        tmp_path,
        {"seeds.data": 1},
        [result(40.0)],
        train_seconds=90.0,
        index_seconds=3.0,
        query_seconds=1.0,
        wall_seconds=99,
    )
    assert sorted((t.training, t.other) for t in read_past_runs(tmp_path).timings) == [(90, 4), (90, 9)]


def test_a_cell_that_another_machine_finished_is_done_but_times_nothing(tmp_path: Path) -> None:
    here = hardware()
    make_run(tmp_path, {}, [result(40.0)], hardware=here, train_seconds=1.0, fingerprints=fingerprints())
    larger = here | {"cores": here["cores"] + 1}
    make_run(tmp_path, {"seeds.data": 1}, [result(40.0)], hardware=larger, fingerprints=fingerprints())
    past = read_past_runs(tmp_path)
    assert [timing.spec.seeds.data for timing in past.timings] == [0]
    assert [past.state(gaid(seeds__data=seed)) for seed in (0, 1)] == ["done", "done"]


def fingerprints() -> dict[str, str]:
    """Those of a run of GAID on the present data by the present code."""
    return {"dataset": str(dataset_fingerprint(WORLD, {})), "code": code_fingerprint(gaid())}


def test_every_cell_stands_in_the_table_and_the_total_shares_the_workers(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0)], train_seconds=50.0, wall_seconds=60.0, fingerprints=fingerprints())
    cells = [gaid(), *(gaid(config__alpha=alpha) for alpha in (0.1, 0.2, 0.3, 0.4))]
    text = printed([*cells, resolve("xpool", WORLD, {})], tmp_path, workers=2)
    assert (text.count(" done "), text.count(" to do "), text.count(" 60 s ")) == (1, 5, 4)
    assert all(f"alpha=0.{n}" in text for n in (1, 2, 3, 4))
    assert "6 cells, 1 of them finished; 5 left with 2 at a time: at least 2 min, plus 1 cell" in text


def test_a_total_is_not_shorter_than_its_longest_cell(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0)], train_seconds=50.0, wall_seconds=60.0)
    assert "1 left with 8 at a time: about 60 s" in printed([gaid(seeds__data=1)], tmp_path, workers=8)


def test_nothing_is_foretold_of_finished_cells(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0)], fingerprints=fingerprints())
    assert printed([gaid()], tmp_path).rstrip().endswith("1 cell, 1 of them finished")


@pytest.mark.parametrize("code", ["0" * 64, None])
def test_a_cell_that_other_code_has_finished_is_not_done(code: str | None, tmp_path: Path) -> None:
    others = {**fingerprints(), "code": code} if code else {"dataset": fingerprints()["dataset"]}
    make_run(tmp_path, {}, [result(40.0)], fingerprints=others)
    text = printed([gaid()], tmp_path)
    assert " other code " in text
    assert "1 cell, 0 of them finished; 1 left" in text


@pytest.mark.parametrize("plan", [printed, records_of])
def test_a_split_that_the_data_set_lacks_is_refused_before_anything_is_made(
    plan: Callable[..., object], tmp_path: Path
) -> None:
    lacking = gaid(evaluation__splits=["test", "nowhere"])
    with pytest.raises(
        BenchError, match=f"^{WORLD} has no split 'nowhere'; it has train, val, test, test-multi$"
    ):
        plan([gaid(), lacking], tmp_path)


def test_settings_are_what_differs_from_the_defaults_and_has_no_column() -> None:
    assert own_settings(gaid(frames=24, config__fusion="sample", seeds__noise=3)) == ""
    assert own_settings(gaid(config__alpha=0.25, training__epochs=99)) == "alpha=0.25 training.epochs=99"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "1 s"), (99, "99 s"), (180, "3 min"), (5400, "90 min"), (86400, "24.0 h")]
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert seconds_in_words(seconds) == words
