"""`bench index --cluster`: decoding and encoding by a Ray cluster, everything else on this machine."""

from pathlib import Path

from core.progress import Progress
from core.running.cluster_crew import cluster_crew
from core.running.trained import TrainedRun
from core.search.building import IndexBuilt, index_videos


def index_on_cluster(
    run: TrainedRun, videos: Path, out: Path, address: str, workers: int | None, progress: Progress
) -> IndexBuilt:
    """As `index_videos`, with the same bytes; the cluster's nodes see both folders under the same names.

    Raises as `index_videos` and `cluster_crew`, and `BenchError` for a node that cannot see a folder.
    """
    videos, out = videos.absolute(), out.absolute()
    with cluster_crew(address, workers) as crew:
        crew.require_seen([videos, next(place for place in (out, *out.parents) if place.exists())])
        return index_videos(run, videos, out, workers=crew.workers, progress=progress)
