"""A matrix that is killed with SIGKILL and given again ends with the figures of an undisturbed one."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.killed import Kill, differences, finished, random_moments, run_killed, run_quietly
from core.running.cells import Materials

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
    "0,1,2",
    "--workers",
    "2",
)


@dataclass(frozen=True)
class Ended:
    quiet: Path
    killed: Path
    kills: list[Kill]


@pytest.fixture(scope="module")
def ended(materials: Materials, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Six cells in peace, and six of which the command is killed twice at random moments."""
    folder = tmp_path_factory.mktemp("killed")
    seconds = run_quietly(RUN, folder / "quiet")
    moments = random_moments(2, 6, seconds, seed=2)
    return Ended(folder / "quiet", folder / "killed", run_killed(RUN, folder / "killed", moments))


def test_the_killed_matrix_is_finished_by_the_same_command(ended: Ended) -> None:
    assert len(ended.kills) == 2
    assert all(kill.finished < 6 for kill in ended.kills)
    assert len(finished(ended.killed)) == len(finished(ended.quiet)) == 6


def test_it_ends_with_the_figures_of_the_undisturbed_one(ended: Ended) -> None:
    assert differences(ended.quiet, ended.killed) == []


def test_nothing_half_written_is_left_among_finished_cells(ended: Ended) -> None:
    assert not list(ended.killed.glob("*/resume.pt"))
    assert not list(ended.killed.glob("*/error.txt"))


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
    assert {moment.whole for moment in moments} == {False, True}
    assert 0 <= min(moment.pause for moment in moments) <= max(moment.pause for moment in moments) <= 2
