"""How long a search takes in a gallery of so many made-up videos, what its candidates keep, what it holds.

    python -m benchmarks.search_at_scale --videos 5000
    python -m benchmarks.search_at_scale --videos 1000000 --method clip4clip --folder /scratch
    python -m benchmarks.search_at_scale --videos 2000 --method all

A method of 12 frames and width 512 with fresh weights; videos are noisy copies of scenes, fifty of each, so
that a query has near and far ones. Methods that listen hear a sound of the scene, in nine videos of ten.
Parts are written as `bench index` writes them, one after the other, and searched by its candidates and exact
scores. Printed: seconds and bytes of the build, milliseconds of a query after loading, the share of the exact
top 10 that its candidates keep, and the resident memory.
"""

import argparse
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from core.batch import Texts, Videos
from core.checksums import digests
from core.method import Dimensions, Method, Needs
from core.progress import Lines, bytes_in_words
from core.registry import find_method, registered_methods
from core.scoring.noise import scoring_noise
from core.scoring.scoring import build_index, exact_arithmetic
from core.search.basis import write_basis
from core.search.building import candidate_vectors
from core.search.candidates import opened_candidates, with_lists
from core.search.contents import IndexContents
from core.search.layout import PART_VIDEOS, VECTORS_FILE, VIDEOS_FILE, IndexFolder, IndexManifest, Part
from core.search.queries import query_vectors

FRAMES, WIDTH = 12, 512
SCENE_VIDEOS = 50
"""Videos of a scene, so that a top 10 is more than noise."""
QUERIES = 32
TOP = 10
NOISE = 0.8
"""Of frames, sounds and words around their scene, in lengths of the scene's own vector."""
STATES, PATCHES, WORDS = 10, 4, 8
"""Steps of a sound, patches of a frame, words of a query, of a caption and of what is said."""


@dataclass(frozen=True)
class MadeUpRun:
    """As much of a `TrainedRun` as an index asks for."""

    method: Method
    spec: Any
    audio = SimpleNamespace(positions=STATES, width=WIDTH)
    clip = SimpleNamespace(patches=PATCHES)

    @property
    def noise(self) -> Any:
        """Of leak-free scores."""
        return scoring_noise(self.method.config, 0, released=False)


def made_up_run(name: str) -> MadeUpRun:
    """A method with fresh weights."""
    cls = find_method(name)
    torch.manual_seed(0)
    method = cls(cls.Config(), Dimensions(WIDTH, FRAMES, WIDTH, WORDS)).eval()
    evaluation = SimpleNamespace(engine="exact", precision="float32")
    return MadeUpRun(method, SimpleNamespace(evaluation=evaluation))


@cache
def scenes(videos: int) -> Tensor:
    """`(2, S, WIDTH)` directions that so many videos show (0) and sound like (1)."""
    draw, count = torch.Generator().manual_seed(1), max(1, videos // SCENE_VIDEOS)
    found: Tensor = torch.nn.functional.normalize(torch.randn(2, count, WIDTH, generator=draw), dim=-1)
    return found


def near(directions: Tensor, *between: int, draw: torch.Generator) -> Tensor:
    """`(B, *between, WIDTH)`: noisy copies of `(B, WIDTH)`."""
    shape = (len(directions), *between, WIDTH)
    own = directions.reshape(len(directions), *(1 for _ in between), WIDTH)
    return own + NOISE * torch.randn(shape, generator=draw) / WIDTH**0.5


def made_up_videos(number: int, count: int, directions: Tensor, needs: Needs) -> Videos:
    """The videos of a part: all that there is of one is near one scene."""
    draw = torch.Generator().manual_seed(1000 + number)
    shown, sounding = directions[:, torch.randint(directions.shape[1], (count,), generator=draw)]
    frames = near(shown, FRAMES, draw=draw)
    keys = torch.arange(count) + number * PART_VIDEOS
    heard = keys % 10 != 9
    return Videos(
        frames,
        torch.ones(count, FRAMES, dtype=torch.bool),
        keys,
        audio=near(sounding, STATES, draw=draw) * heard[:, None, None],
        audio_valid=torch.full((count,), STATES),
        has_audio=heard,
        patches=near(shown, FRAMES, PATCHES, draw=draw) if needs.patches else None,
        captions=near(shown, 2, WORDS, draw=draw) if needs.video_captions else None,
        caption_mask=torch.ones(count, 2, WORDS, dtype=torch.bool) if needs.video_captions else None,
        speech=near(shown, WORDS, draw=draw) if needs.speech else None,
    )


def made_up_texts(videos: int) -> Texts:
    """Queries near what scenes of so many videos show."""
    draw, (shown, _) = torch.Generator().manual_seed(2), scenes(videos)
    own = shown[torch.randint(len(shown), (QUERIES,), generator=draw)]
    mask = torch.ones(QUERIES, WORDS, dtype=torch.bool)
    return Texts(near(own, draw=draw), torch.arange(QUERIES), near(own, WORDS, draw=draw), mask)


def write_parts(run: MadeUpRun, folder: IndexFolder, videos: int) -> IndexManifest:
    """Writes parts until there are so many videos."""
    parts = []
    for number, first in enumerate(range(0, videos, PART_VIDEOS)):
        count = min(PART_VIDEOS, videos - first)
        made = made_up_videos(number, count, scenes(videos), run.method.needs)
        place = folder.path / "parts" / f"{number:05d}"
        place.mkdir(parents=True)
        index = build_index(run.method, made, check=number == 0)
        write_basis(index.videos, place)
        encoded: Any = SimpleNamespace(videos=made)
        vectors = candidate_vectors(run, encoded)  # type: ignore[arg-type]
        np.save(place / VECTORS_FILE, vectors.half().numpy())
        pq.write_table(pa.table({"path": [f"{first + n}.mp4" for n in range(count)]}), place / VIDEOS_FILE)
        files = digests(place, [VECTORS_FILE])
        parts.append(Part(number=number, videos=count, files=files))
    return IndexManifest(run="", model="", code="", root="", parts=tuple(parts), next_part=len(parts))


def measure(videos: int, method: str, place: Path, candidates: Sequence[int], exact: bool) -> None:
    """Builds, loads and asks an index, and prints what it took."""
    run: Any = made_up_run(method)
    folder = IndexFolder(place / "index")
    began = time.perf_counter()
    manifest = write_parts(run, folder, videos)
    parted = time.perf_counter()
    manifest = with_lists(IndexContents(run, folder, manifest), Lines())
    listed = time.perf_counter()
    size = sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())
    print(
        f"{videos:,} videos, {method}: parts {parted - began:.1f} s, candidates {listed - parted:.1f} s, "
        f"{bytes_in_words(size)} on disk"
    )
    contents = IndexContents(run, folder, manifest)
    texts = made_up_texts(videos)
    find = opened_candidates(contents)
    with exact_arithmetic(run.method):
        best = contents.best(texts, TOP) if exact else None
    for count in candidates:
        times, shares = [], []
        for n in range(QUERIES):
            query = texts[n : n + 1]
            start = time.perf_counter()
            ids = find(query_vectors(run, query), count)[0]
            scores = contents.scores(query, contents.record(ids))[0]
            hits = ids[scores.topk(min(TOP, len(ids))).indices.numpy()]
            times.append(1000 * (time.perf_counter() - start))
            if best is not None:
                shares.append(np.isin(best[n], hits).mean())
        kept = f"{100 * np.mean(shares):.1f} %" if shares else "not measured"
        print(
            f"  {count:>5} candidates: {median(times):.1f} ms a query (slowest {max(times):.1f}), "
            f"top {TOP} kept {kept}"
        )
    held = psutil.Process().memory_info().rss
    print(f"  resident memory {bytes_in_words(held)}")


def main() -> None:
    """Reads the options and measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=5000)
    parser.add_argument("--method", default="xpool", help="its name, or all: one after the other")
    parser.add_argument("--candidates", type=int, nargs="+", default=[50, 100, 200, 400])
    parser.add_argument("--folder", type=Path, help="where the index is made; removed afterwards")
    parser.add_argument("--no-exact", action="store_true", help="do not compare with the exact top 10")
    given = parser.parse_args()
    torch.set_num_threads(2)
    for method in searchable_methods() if given.method == "all" else [given.method]:
        place = Path(mkdtemp(prefix="search-at-scale-", dir=given.folder))
        try:
            measure(given.videos, method, place, given.candidates, exact=not given.no_exact)
        finally:
            shutil.rmtree(place)


def searchable_methods() -> list[str]:
    """Those of the methods that an index takes: scores of the others depend on the whole gallery."""
    return sorted(name for name in registered_methods() if not made_up_run(name).method.needs.gallery)


if __name__ == "__main__":
    main()
