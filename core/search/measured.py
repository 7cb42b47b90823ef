"""How many candidates a search should score, measured: what so many keep of the exact top 10.

The queries are captions that the run was scored with, so they are what people write and the method reads.
"""

import numpy as np
import pyarrow as pa

from core.batch import Texts
from core.errors import BenchError
from core.progress import Progress
from core.run_files import read_columns
from core.running.trained import TrainedRun
from core.search.candidates import opened_candidates, with_lists
from core.search.contents import IndexContents
from core.search.layout import IndexFolder, IndexManifest, KeptShare
from core.search.queries import query_vectors

SAMPLED = 64
"""Queries that are asked exactly."""
TOP = 10
"""Places of the exact list that candidates should hold."""
TRIED = (50, 100, 200, 400, 800)
"""Numbers of candidates that are tried, the fewest first."""
ENOUGH = 0.99
"""Share of the top 10 that is worth more candidates."""
QUERIES = "queries.parquet"


def with_candidates(
    run: TrainedRun, folder: IndexFolder, manifest: IndexManifest, progress: Progress
) -> IndexManifest:
    """The manifest of an index that can be searched: its lists made, and what candidates keep measured."""
    manifest = with_lists(IndexContents(run, folder, manifest), progress)
    texts = sampled_texts(run)
    contents = IndexContents(run, folder, manifest)
    counts = [count for count in TRIED if count < len(contents.ids)]
    if not counts or texts is None:
        whole = [KeptShare(candidates=len(contents.ids), share=1.0)] if not counts else []
        return manifest.model_copy(update={"kept": tuple(whole), "sampled": 0})
    progress.say(f"measuring what candidates keep of the exact top {TOP}, with {len(texts)} queries")
    exact = contents.best(texts, TOP)
    found = opened_candidates(contents)(query_vectors(run, texts), counts[-1])
    kept = []
    for count in counts:
        shares = [np.isin(top, some[:count]).mean() for top, some in zip(exact, found, strict=True)]
        kept.append(KeptShare(candidates=count, share=float(np.mean(shares))))
        if kept[-1].share >= ENOUGH:
            break
    return manifest.model_copy(update={"kept": tuple(kept), "sampled": len(texts)})


def sampled_texts(run: TrainedRun) -> Texts | None:
    """Captions of the run's own queries, evenly spaced; None for a run that has none in its folder."""
    schema = pa.schema([("direction", pa.string()), ("text", pa.string())])
    try:
        table = read_columns(run.directory, QUERIES, schema, ["direction", "text"])
    except BenchError:  # it was deleted or damaged since: searching works without
        return None
    rows = zip(table["direction"].to_pylist(), table["text"].to_pylist(), strict=True)
    captions = list(dict.fromkeys(text for direction, text in rows if direction == "t2v" and text.strip()))
    if not captions:
        return None
    chosen = np.unique(np.linspace(0, len(captions) - 1, SAMPLED).round().astype(int))
    return run.encode_texts([captions[row] for row in chosen])
