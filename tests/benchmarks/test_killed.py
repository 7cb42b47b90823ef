"""A matrix that is killed with SIGKILL and given again ends with the figures of an undisturbed one."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.killed import (
    Kill,
    Moment,
    differences,
    finished,
    may_mount,
    random_moments,
    run_killed,
    run_quietly,
    small_disk,
)
from core.running.cells import RunInputs

pytestmark = [
    pytest.mark.timeout(900),  # several commands, each of which imports the engine
    pytest.mark.slow,
]

RUN = (
    "avworld-frozen",
    "--methods",
    "gaid,clip4clip",
    "--datasets",
    "avworld-tiny",
    "--seeds",
    "0,1",
    "--set",
    "training.epochs=3",
    "--workers",
    "2",
)


@dataclass(frozen=True)
class Ended:
    quiet: Path
    killed: Path
    kills: list[Kill]


@pytest.fixture(scope="module")
def ended(materials: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Four cells in peace, and four of which the command is killed twice at random moments."""
    folder = tmp_path_factory.mktemp("killed")
    seconds = run_quietly(RUN, folder / "quiet")
    moments = random_moments(2, 6, seconds, seed=10)
    assert [(moment.cells, moment.what) for moment in moments] == [(0, "command"), (1, "group")]
    return Ended(folder / "quiet", folder / "killed", run_killed(RUN, folder / "killed", moments))


def test_the_killed_matrix_is_finished_by_the_same_command(ended: Ended) -> None:
    assert len(ended.kills) == 2
    assert ended.kills[0].finished < 4
    assert 1 <= ended.kills[1].finished < 4  # what is finished is read, the rest goes on
    assert len(finished(ended.killed)) == len(finished(ended.quiet)) == 4


def test_it_ends_with_the_figures_of_the_undisturbed_one(ended: Ended) -> None:
    assert differences(ended.quiet, ended.killed) == []


def test_nothing_half_written_is_left_among_finished_cells(ended: Ended) -> None:
    assert not list(ended.killed.glob("*/resume.pt"))
    assert not list(ended.killed.glob("*/error.txt"))


def test_a_deleted_folder_and_a_killed_cell_cost_no_other_cell_a_figure(ended: Ended, tmp_path: Path) -> None:
    runs = tmp_path / "disturbed"
    moments = [Moment(0, 1.0, "deletion"), Moment(1, 0.0, "cell")]
    assert len(run_killed(RUN, runs, moments)) == 2
    assert differences(ended.quiet, runs) == []
    assert "Traceback" not in runs.with_suffix(".log").read_text()


@pytest.mark.skipif(not may_mount(), reason="root alone may mount a small disk")
def test_a_full_disk_is_one_line_and_keeps_what_is_finished(ended: Ended, tmp_path: Path) -> None:
    runs = tmp_path / "full"
    with small_disk(runs):
        moments = [Moment(0, 0.0, "full disk"), Moment(2, 0.5, "full disk")]
        run_killed(RUN, runs, moments)
        assert differences(ended.quiet, runs) == []
    log = runs.with_suffix(".log").read_text()
    assert "Traceback" not in log
    assert re.search(r"are missing; free some|disk is full", log)


def test_a_cell_that_differs_or_is_missing_is_named(ended: Ended) -> None:
    directory = finished(ended.killed)[0]
    file = directory.path / "metrics.json"
    content = file.read_text()
    file.write_text(content.replace("R@1", "R@2", 1))
    assert differences(ended.quiet, ended.killed) == [directory.path.name]
    directory.set_status("failed")
    assert differences(ended.quiet, ended.killed) == [directory.path.name]
    file.write_text(content)
    directory.set_status("done")


def test_kills_are_spread_over_the_matrix() -> None:
    moments = [moment for seed in range(50) for moment in random_moments(5, 24, 48, seed)]
    assert len(moments) == 50 * 5
    assert {moment.cells for moment in moments} == set(range(20))
    assert {moment.what for moment in moments} == {"command", "group"}
    assert 0 <= min(moment.pause for moment in moments) <= max(moment.pause for moment in moments) <= 2
