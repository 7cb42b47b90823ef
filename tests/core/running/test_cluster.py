"""Cells and shards on a Ray cluster of two nodes, on this machine: the same results, the same bytes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from core.errors import BenchError
from core.paths import cache_root
from core.progress import Silent, Tone
from core.resolving import resolve
from core.running.cells import RunInputs, run_cell, run_hash
from core.running.cluster import NICENESS, check_nodes, connected, run_on_cluster, unseen
from core.running.cluster_crew import cluster_crew
from core.running.outcomes import Cell
from core.running.pipeline import prepare_dataset
from core.running.trained import load_run
from core.runs import RunDirectory, open_run
from core.search.building import index_videos
from core.search.clustered import index_on_cluster
from core.search.layout import CHECKED_FILE
from core.workers import LostItem
from tests.core.running.crew_work import fatal

pytestmark = pytest.mark.slow

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="the extra `ray` is not installed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of two nodes with a core each, whose workers are as urgent as other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NICENESS, "0")
        cluster = cluster_utils.Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        cluster.add_node(num_cpus=1)
        yield cluster.address
        cluster.shutdown()


class Interrupting(Silent):
    """A screen on which Ctrl-C is pressed after two outcomes, when the third cell has come far enough."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.lines: list[str] = []

    def say(self, line: str, tone: Tone = "") -> None:
        self.lines.append(line)
        if len(self.lines) < 2:
            return
        deadline = time.monotonic() + 120
        while not self.checkpoint.exists():
            assert time.monotonic() < deadline, "the third cell does not begin"
            time.sleep(0.05)
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def three(
    address: str, materials: RunInputs, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[RunDirectory], list[str]]:
    """A cell that is well, one that is refused, and one that is interrupted; and what was printed."""
    root = tmp_path_factory.mktemp("runs")
    cells = []
    for overrides in ({"training.epochs": 1}, {"evaluation.splits": ["nowhere"]}, {"training.epochs": 5000}):
        spec = resolve("clip4clip", "avworld-tiny", overrides)
        cells.append(Cell(spec, open_run(root, spec, run_hash(spec, materials))))
    screen = Interrupting(cells[2].directory.path / "resume.pt")
    with pytest.raises(KeyboardInterrupt):
        run_on_cluster(cells, None, address, screen)
    return [cell.directory for cell in cells], screen.lines


def test_a_cell_gives_the_same_results_as_without_a_cluster(
    three: tuple[list[RunDirectory], list[str]], tmp_path: Path
) -> None:
    well, expected = three[0][0], RunDirectory(tmp_path)
    run_cell(well.read_spec(), expected, Silent())
    assert well.is_done()
    assert well.read_json("metrics.json") == expected.read_json("metrics.json")


def test_a_refused_cell_fails_with_its_line_and_an_interrupted_one_can_continue(
    three: tuple[list[RunDirectory], list[str]],
) -> None:
    _, refused, interrupted = three[0]
    assert refused.status()["state"] == "failed"
    assert "no split 'nowhere'" in refused.status()["message"]
    assert interrupted.status()["state"] == "interrupted"
    assert (interrupted.path / "resume.pt").exists()


def test_both_nodes_work(three: tuple[list[RunDirectory], list[str]]) -> None:
    assert len({line.split("  on ")[1].split("  ")[0] for line in three[1]}) == 2


def test_a_node_that_does_not_see_the_run_folder_is_named(address: str, tmp_path: Path) -> None:
    """Through this process's descriptor the folder is to be had here, and in no other process."""
    folder = os.open(tmp_path, os.O_RDONLY)
    with connected(address, 1) as ray:
        assert len(check_nodes(ray, [tmp_path])) == 2
        with pytest.raises(
            BenchError, match=rf"node .* cannot see /proc/self/fd/{folder}; .* \(--runs"
        ) as error:
            check_nodes(ray, [tmp_path, Path(f"/proc/self/fd/{folder}")])
    os.close(folder)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


LOCAL = """
import os
from contextlib import suppress
import psutil
from core.running.cluster import connected

def niceness():
    return os.nice(0)

with connected("local", 1) as ray:
    assert ray.get(ray.remote(niceness).remote()) == os.nice(0)
    here = psutil.Process()
    for process in (here, *here.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # one of Ray's short-lived processes has ended
            for line in process.net_connections("inet"):
                if line.status == psutil.CONN_LISTEN:
                    print(line.laddr.ip)
"""


@pytest.mark.slow
def test_a_local_cluster_is_as_urgent_as_its_caller_and_listens_on_the_loopback_address_only() -> None:
    """In a process of its own, for Ray reads its variables when it is imported."""
    done = subprocess.run([sys.executable, "-c", LOCAL], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    addresses = {ip_address(line.removeprefix("::ffff:")) for line in done.stdout.split()}
    assert addresses
    assert all(address.is_loopback for address in addresses)


def test_files_that_are_not_there_are_unseen(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    assert unseen([tmp_path / "here", tmp_path / "there"]) == [tmp_path / "there"]


def test_an_address_where_no_cluster_answers_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise ConnectionError("nobody is there\nat all")

    monkeypatch.setattr("ray.init", refuse)
    words = r"no Ray cluster answers at '10.0.0.9:6379' \(nobody is there\)"
    with pytest.raises(BenchError, match=words) as error, connected("10.0.0.9:6379", 1):
        pass
    assert "\n" not in str(error.value)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BenchError, match="--cluster needs Ray; install it with"), connected("local", 1):
        pass


def test_a_lost_worker_costs_its_shard_only_and_another_one_writes_it(address: str, tmp_path: Path) -> None:
    with cluster_crew(address, None) as crew:
        assert crew.size == 2
        items = [(kind, tmp_path / kind) for kind in ("well", "lost", "poison", "fine")]
        found = {item[0]: result for item, result in crew(fatal, items, 60.0)}
        lost = found.pop("poison")
        assert isinstance(lost, LostItem) and (lost.step, lost.how) == ("step of poison", "crashed")
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


def test_a_cluster_prepares_the_same_bytes_and_goes_on_where_it_was_stopped(
    address: str, materials: RunInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = cache_root(), tmp_path / "cluster"
    shutil.copytree(here / "datasets", there / "datasets")
    monkeypatch.setenv("BENCH_CACHE", str(there))
    prepare_dataset("avworld-tiny", ["gaid"], 2, Silent(), cluster=address)
    many = contents(there)
    assert any(name.endswith(".npy") for name in many)
    # `materials` were prepared by processes of this machine
    assert [name for name, data in many.items() if (here / name).read_bytes() != data] == []
    (table,) = (there / "stores").rglob("manifest.json")
    before = {path: path.stat().st_mtime_ns for path in table.parent.glob("*.npy")}
    prepare_dataset("avworld-tiny", ["gaid"], 2, Silent(), cluster=address)
    assert {path: path.stat().st_mtime_ns for path in table.parent.glob("*.npy")} == before


def index_files(folder: Path) -> dict[str, bytes]:
    """The files of an index's parts and lists, by name."""
    own = ("lock", CHECKED_FILE)  # of this copy of it
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in own)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_cluster_indexes_the_same_bytes(address: str, trained_run: RunDirectory, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for clip in sorted((cache_root() / "datasets").rglob("test/*.mp4"))[:9]:
        shutil.copy(clip, films)
    run = load_run(trained_run.path)
    here = index_videos(run, films, tmp_path / "here")
    there = index_on_cluster(run, films, tmp_path / "there", address, None, Silent())
    assert here == there and here.videos == 9
    assert index_files(tmp_path / "here") == index_files(tmp_path / "there")
