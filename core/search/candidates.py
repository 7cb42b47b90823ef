"""Candidates of a query: the videos with the largest product of one of their vectors with the query's.

Below `IVF_FROM` videos every product is computed. From there on faiss keeps the vectors in inverted lists, at
a byte per number (`IndexIVFScalarQuantizer`, Douze et al., "The Faiss library", arXiv 2401.08281): a quarter
of the memory, of which a query reads the nearest lists. Whatever finds candidates, exact scores order them.
"""

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import BenchError
from core.progress import Progress
from core.search.contents import Ids, IndexContents
from core.search.layout import FAISS_FILE, PART_VIDEOS, VECTORS_FILE, IndexManifest

IVF_FROM = 20_000
"""Videos from which on inverted lists are worth their training."""
GRAPH_FROM = 2_000_000
"""Vectors from which on the nearest lists are found over a graph of their centres."""
TRAINED_WITH = 64
"""Vectors per list that the lists are trained with; faiss warns below 39."""
LISTS_READ = 1 / 64
"""Share of the lists that a query reads, at least `FEWEST_LISTS`."""
FEWEST_LISTS = 64
GROWN = 2.0
"""Factor by which vectors may grow or shrink before the lists are trained anew."""

QueryVectors = NDArray[np.float32]


class Candidate(Protocol):
    """What finds candidates."""

    def __call__(self, queries: QueryVectors, k: int) -> Sequence[Ids]:
        """At most `k` videos for each query of `(N, D)`, the most likely first."""
        ...


class EveryProduct:
    """All products, of vectors in memory."""

    def __init__(self, contents: IndexContents) -> None:
        parts = [
            np.asarray(contents.vectors(part, VECTORS_FILE)[contents.ids_of(part) % PART_VIDEOS], np.float32)
            for part in contents.manifest.parts
        ]
        self.ids = contents.ids
        stacked = torch.from_numpy(np.concatenate(parts))  # (V, M, D)
        self.each = stacked.shape[1]
        self.vectors = stacked.flatten(0, 1)

    def __call__(self, queries: QueryVectors, k: int) -> Sequence[Ids]:
        """By the largest product of each video."""
        products = (torch.from_numpy(queries) @ self.vectors.T).unflatten(1, (-1, self.each)).amax(-1)
        rows = products.topk(min(k, len(self.ids)), dim=1).indices
        return [self.ids[row] for row in rows.numpy()]


class InvertedLists:
    """The lists nearest to a query."""

    def __init__(self, contents: IndexContents) -> None:
        faiss, file = required_faiss(), contents.folder.path / FAISS_FILE
        try:
            self.index = faiss.read_index(str(file), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except RuntimeError as error:
            raise BenchError(f"{file} is damaged; delete it and run bench index again") from error
        self.lists = faiss.extract_index_ivf(self.index)
        self.lists.nprobe = max(FEWEST_LISTS, round(self.lists.nlist * LISTS_READ))
        self.each = max(1, round(self.index.ntotal / max(1, len(contents.ids))))
        faiss.omp_set_num_threads(torch.get_num_threads())

    def __call__(self, queries: QueryVectors, k: int) -> Sequence[Ids]:
        """The first distinct videos of the nearest vectors."""
        _, found = self.index.search(queries, k * self.each)
        return [first_distinct(row[row >= 0], k) for row in found]


def first_distinct(ids: Ids, k: int) -> Ids:
    """The first `k` distinct numbers, in their order.

    >>> first_distinct(np.array([7, 3, 7, 5]), 2).tolist()
    [7, 3]
    """
    first = np.sort(np.unique(ids, return_index=True)[1])[:k]
    chosen: Ids = ids[first]
    return chosen


def opened_candidates(contents: IndexContents) -> Candidate:
    """What finds candidates in an index."""
    return InvertedLists(contents) if contents.manifest.in_faiss else EveryProduct(contents)


def required_faiss() -> Any:
    """The library; raises `BenchError` where it is not installed."""
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise BenchError(
            f"an index of {IVF_FROM:,} videos or more needs faiss; pip install 'av-retrieval-bench[search]'"
        ) from error


def with_lists(contents: IndexContents, progress: Progress) -> IndexManifest:
    """The manifest of an index whose `candidates.faiss` has every vector, where it needs one.

    New parts join the lists that there are, and forgotten videos leave them, until the index has grown so
    much that it is worth training lists anew.
    """
    manifest, file = contents.manifest, contents.folder.path / FAISS_FILE
    if len(contents.ids) < IVF_FROM:
        file.unlink(missing_ok=True)
        return manifest.model_copy(update={"in_faiss": ()})
    faiss = required_faiss()
    first = contents.vectors(manifest.parts[0], VECTORS_FILE)
    each, width = first.shape[1:]
    total, numbers = each * len(contents.ids), {part.number for part in manifest.parts}
    index = None
    if file.exists() and set(manifest.in_faiss) <= numbers:
        index = faiss.read_index(str(file))
        nlist = faiss.extract_index_ivf(index).nlist
        if not 1 / GROWN <= total / vectors_for(nlist) <= GROWN:
            index = None
    if index is None:
        index = trained_lists(contents, faiss, total, width, progress)
        waiting = list(manifest.parts)
    else:
        gone = [n * PART_VIDEOS + row for n, part in contents.parts.items() for row in part.gone]
        index.remove_ids(faiss.IDSelectorBatch(np.array(gone, np.int64)))
        waiting = [part for part in manifest.parts if part.number not in manifest.in_faiss]
    with progress.task("adding candidates", sum(part.videos for part in waiting)) as advance:
        for part in waiting:
            ids = contents.ids_of(part)
            vectors = np.asarray(contents.vectors(part, VECTORS_FILE)[ids % PART_VIDEOS], np.float32)
            index.add_with_ids(vectors.reshape(-1, width), np.repeat(ids, each))
            advance(part.videos, "")
    write_lists(faiss, index, file)
    return manifest.model_copy(update={"in_faiss": tuple(sorted(numbers))})


def write_lists(faiss: Any, index: Any, file: Path) -> None:
    """Writes an index of faiss, whole or not at all."""
    temporary = file.with_suffix(".part")
    try:
        faiss.write_index(index, str(temporary))
        temporary.replace(file)
    except RuntimeError as error:  # faiss says in words what the system said
        raise BenchError(
            f"{file.parent}: cannot write {file.name} ({error}); free space and run again"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def lists_for(vectors: int) -> int:
    """How many lists, 4 sqrt(n) as faiss advises."""
    return max(1, round(4 * math.sqrt(vectors)))


def vectors_for(lists: int) -> float:
    """For how many vectors so many lists are right."""
    return (lists / 4) ** 2


def trained_lists(contents: IndexContents, faiss: Any, total: int, width: int, progress: Progress) -> Any:
    """Empty lists whose centres fit a sample of the vectors."""
    lists = lists_for(total)
    graph = "_HNSW32" if total >= GRAPH_FROM else ""
    index = faiss.index_factory(width, f"IVF{lists}{graph},SQ8", faiss.METRIC_INNER_PRODUCT)
    wanted = TRAINED_WITH * lists
    sample, random = [], np.random.default_rng(0)
    for part in contents.manifest.parts:
        ids = contents.ids_of(part)
        vectors = contents.vectors(part, VECTORS_FILE)[ids % PART_VIDEOS].reshape(-1, width)
        # each part gives its share, rounded up
        share = min(len(vectors), math.ceil(wanted * len(vectors) / total))
        sample.append(np.asarray(vectors[random.permutation(len(vectors))[:share]], np.float32))
    progress.say(f"training {lists:,} lists for {total:,} candidate vectors")
    index.train(np.concatenate(sample))
    return index
