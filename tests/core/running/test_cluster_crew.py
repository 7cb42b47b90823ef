"""Decoding and encoding on a Ray cluster of two nodes, on this machine: the same bytes as in processes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import Result

from core.errors import BenchError
from core.progress import Silent
from core.running.cluster_crew import RayCrew, cluster_crew, work_on_node
from core.running.pipeline import prepare_dataset
from core.workers import Begin, Lost, in_workers, sent_to, watched
from tests.command_line import assert_one_line


def squared(item: int, begin: Begin) -> int:
    """A function of a worker."""
    return item * item


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


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of two nodes with a core each."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="the extra `ray` is not installed")
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=1)
    yield cluster.address
    cluster.shutdown()


def fatal(item: tuple[str, Path], begin: Begin) -> str:
    """Kills its worker or itself the first time, hangs over nothing, or raises: as the item says."""
    kind, mark = item
    begin(f"step of {kind}")
    if kind == "raises":
        raise BenchError("a line for the user")
    if kind == "poison" or (kind == "lost" and not mark.exists()):
        mark.touch()
        own = psutil.Process()
        victim = own if kind == "poison" else own.parent().parent()  # the task, above the server of processes
        victim.kill()
    return kind


@pytest.mark.slow
def test_a_lost_worker_costs_its_shard_only_and_another_one_writes_it(address: str, tmp_path: Path) -> None:
    with cluster_crew(address, None) as crew:
        assert crew.size == 2
        items = [(kind, tmp_path / kind) for kind in ("well", "lost", "poison", "fine")]
        found = {item[0]: result for item, result in crew(fatal, items, 60.0)}
        lost = found.pop("poison")
        assert isinstance(lost, Lost) and (lost.step, lost.how) == ("step of poison", "crashed")
        assert found == {"well": "well", "lost": "lost", "fine": "fine"}
        assert (tmp_path / "lost").exists()
        with pytest.raises(BenchError, match="a line for the user"):
            list(crew(fatal, [("raises", tmp_path / "x")], 60.0))
        with pytest.raises(BenchError, match=r"node .* cannot see .*nowhere"):
            crew.require_seen([tmp_path / "nowhere"])


def contents(cache: Path) -> dict[str, bytes]:
    """What a cache holds of decoded clips and features, by name; locks and times of looks left out."""
    files = (path for room in ("stores", "features") for path in (cache / room).rglob("*"))
    kept = (path for path in files if path.is_file() and path.suffix not in (".lock", ".sums", ".keys"))
    return {str(path.relative_to(cache)): path.read_bytes() for path in kept if path.name != "lock"}


@pytest.mark.slow
def test_a_cluster_prepares_the_same_bytes_and_goes_on_where_it_was_stopped(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches = tmp_path / "one", tmp_path / "cluster"
    for cache, cluster in zip(caches, (None, address), strict=True):
        monkeypatch.setenv("BENCH_CACHE", str(cache))
        prepare_dataset("avworld-tiny", ["gaid"], 2, Silent(), cluster=cluster)
    one, many = map(contents, caches)
    assert set(one) == set(many) and any(name.endswith(".npy") for name in one)
    assert [name for name in one if one[name] != many[name]] == []
    (table,) = (path for path in (caches[1] / "stores").rglob("manifest.json"))
    before = {path: path.stat().st_mtime_ns for path in table.parent.glob("*.npy")}
    prepare_dataset("avworld-tiny", ["gaid"], 2, Silent(), cluster=address)
    assert {path: path.stat().st_mtime_ns for path in table.parent.glob("*.npy")} == before


def test_what_a_shard_raises_comes_back_as_it_is(tmp_path: Path) -> None:
    raised, result = work_on_node(fatal, ("raises", tmp_path / "x"), 60.0)
    assert isinstance(raised, BenchError) and str(raised) == "a line for the user"
    assert result is None
    assert work_on_node(squared, 3, 60.0) == (None, 9)


def test_a_crew_is_as_large_as_it_was_asked_for() -> None:
    assert RayCrew(os, 3).size == 3
