"""Decoding and encoding on a Ray cluster: a task per shard, the same bytes as on one machine.

Inside the block of `cluster_crew` what `core.workers` spreads over processes goes to the nodes. A task works
on its shard as a process of this machine would: in a child of its own, which FFmpeg may crash or hang. It
writes to the cache that all nodes share; nothing but the shard's name and the models travels. A node or a
worker that is lost costs the shards that it was at, which another one writes again.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from core.paths import cache_root
from core.running.cluster import check_nodes, connected, last_line
from core.running.partitions import require_ray
from core.workers import Begin, Item, LostItem, Returned, default_workers, portable, sent_to, watched

SHARD_RETRIES = 3
"""Nodes or workers that a shard may cost."""


@dataclass(frozen=True)
class RayCrew:
    """The workers of a cluster."""

    ray: ModuleType
    size: int
    """Shards that are worked on at a time."""

    @property
    def workers(self) -> int:
        """What to ask `core.workers` for, where a single worker would be this process."""
        return max(2, self.size)

    def __call__(
        self, function: Callable[[Item, Begin], Returned], items: Sequence[Item], seconds: float
    ) -> Iterator[tuple[Item, Returned | LostItem]]:
        """As `core.workers.watched`; a step that takes longer than `seconds` counts as hung."""
        ray = self.ray
        task = ray.remote(num_cpus=1, max_retries=SHARD_RETRIES)(work_on_node)
        carried = ray.put(function)  # once, for it may hold a model
        waiting, running = deque(items), dict[Any, Item]()
        while waiting or running:
            while waiting and len(running) < self.size:
                item = waiting.popleft()
                running[task.remote(carried, item, seconds)] = item
            for ended in ray.wait(list(running), timeout=1.0)[0]:
                item = running.pop(ended)
                try:
                    raised, result = ray.get(ended)
                except ray.exceptions.RayError as error:
                    raised, result = None, LostItem("", "crashed", last_line(error))
                if raised is not None:
                    raise raised
                yield item, result

    def require_seen(self, folders: Sequence[Path]) -> None:
        """Raises `BenchError` for a node that cannot see all the folders; nothing is written into them."""
        check_nodes(self.ray, [], [folder.absolute() for folder in folders])


def work_on_node(
    function: Callable[[Item, Begin], Returned], item: Item, seconds: float
) -> tuple[Exception | None, Returned | LostItem | None]:
    """Works on an item in a child of this worker: what the function has raised, or else its result."""
    try:
        ((_, result),) = watched(function, [item], 1, seconds)
    except Exception as error:  # raised where the shard was asked for
        return portable(error), None
    return None, result


@contextmanager
def cluster_crew(address: str, workers: int | None) -> Iterator[RayCrew]:
    """Sends the work of the block to a cluster; yields its crew.

    It works on as many shards at a time as the cluster has cores, at most `workers`. Raises `BenchError`
    where Ray is missing, no cluster answers, or a node cannot see the cache.
    """
    require_ray(address)
    with connected(address, workers or default_workers(64)) as ray:
        check_nodes(ray, [cache_root().absolute()])
        cores = int(ray.cluster_resources().get("CPU", 1))
        crew = RayCrew(ray, min(cores, workers or cores))
        with sent_to(crew):
            yield crew
