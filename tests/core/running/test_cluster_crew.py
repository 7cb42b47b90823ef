"""Work that would be spread over processes goes to a crew elsewhere instead; on Ray: see test_cluster.py."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from core.errors import BenchError
from core.running.cluster_crew import RayCrew, work_on_node
from core.workers import in_workers, sent_to, watched
from tests.command_line import assert_one_line
from tests.core.running.crew_work import fatal, squared


def test_inside_the_block_work_goes_to_the_crew_and_afterwards_no_more() -> None:
    asked = []

    def crew(function: Callable[..., int], items: list[int], seconds: float) -> Iterator[tuple[int, int]]:
        for item in items:
            asked.append(item)
            yield item, function(item, print)

    with sent_to(crew):
        assert dict(watched(squared, [1, 2], workers=2)) == {1: 1, 2: 4}
        assert dict(in_workers(abs, [-3], workers=2)) == {-3: 3}
        assert dict(in_workers(abs, [-4], workers=1)) == {-4: 4}  # what is to stay here stays
    assert asked == [1, 2, -3]
    assert dict(in_workers(abs, [-5], workers=2)) == {-5: 5}
    assert asked == [1, 2, -3]


def test_slurm_is_refused_and_the_extra_is_named(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(cluster: str) -> Result:
        return invoke("data", "prepare", "avworld-tiny", "--cluster", cluster)

    assert_one_line(prepare("slurm:gpu"), "--cluster slurm:gpu", "bench run", "--cluster ADDRESS")
    monkeypatch.setattr("core.extras.find_spec", lambda module: None)
    assert_one_line(prepare("local"), "uv sync --extra ray")


@pytest.mark.slow
def test_what_a_shard_raises_comes_back_as_it_is(tmp_path: Path) -> None:
    raised, result = work_on_node(fatal, ("raises", tmp_path / "x"), 60.0)
    assert isinstance(raised, BenchError) and str(raised) == "a line for the user"
    assert result is None
    assert work_on_node(squared, 3, 60.0) == (None, 9)


def test_a_crew_is_as_large_as_it_was_asked_for() -> None:
    assert RayCrew(os, 3).size == 3
