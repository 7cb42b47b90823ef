"""Finished runs written by hand, with figures that a test chooses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor

from core.dataset import Split, Video
from core.evaluation.ranking import text_to_video, video_to_text
from core.evaluation.results import Result, write_results
from core.evaluation.top import top_lists
from core.resolving import resolve
from core.runs import RunDirectory, open_run, write_json
from core.spec import SCHEMA, RunSpec

FEWEST = 20
"""Candidates at least, so that a query can rank twelfth."""

COUNTS = ("greater", "ties", "above", "equal", "equal_before", "undefined")


def result(
    recall_at_1: float,
    *,
    condition: str = "leak-free",
    direction: str = "t2v",
    rescoring: str = "none",
    split: str = "test",
    undefined: int = 0,
    strata: dict[str, float] | None = None,
    gallery: str = "gallery",
    queries: int = 100,
) -> dict[str, Any]:
    """An entry of metrics.json, whose figures `query_rows` bears out.

    `gallery` is its fingerprint; the first `undefined` queries have no score; `strata` names the R@1 of
    equally large parts of the queries, whose mean `recall_at_1` must be.
    """
    protocol = {
        "split": split,
        "condition": condition,
        "rescoring": rescoring,
        "queries": queries,
        "gallery": max(queries, FEWEST),
        "gallery_fingerprint": gallery,
        "selection": "val",
        "training_pairs": "paired",
    }
    return {
        "direction": direction,
        "protocol": {**protocol, "rescoring_uses": f"what {rescoring} uses"},
        "metrics": {"expected": {"R@1": recall_at_1, "undefined": undefined}},
        "strata": strata or {},
    }


def make_run(
    root: Path,
    overrides: dict[str, Any],
    results: list[dict[str, Any]],
    *,
    method: str = "gaid",
    gates: dict[str, Any] | None = None,
    order: int = 0,
    **manifest: Any,
) -> tuple[RunDirectory, RunSpec]:
    """A finished run under `root`, with whatever the manifest is to say; `order` spreads its hits.

    `gates` are scores by split; the gates themselves are two clips of two frames.
    """
    spec = resolve(method, "avworld-tiny", overrides)
    directory = open_run(root, spec, spec.digest(str(manifest)))
    scores = {
        split: {"axis": "frame", "average_precision": {}, **found} for split, found in (gates or {}).items()
    }
    write_json(directory.path / "metrics.json", {"schema": SCHEMA, "results": results, "gates": scores})
    queries = pd.concat([query_rows(entry, order) for entry in results], ignore_index=True)
    queries.to_parquet(directory.path / "queries.parquet", index=False)
    top_rows(queries).to_parquet(directory.path / "top.parquet", index=False)
    if scores:
        tensors = {f"{split}/{name}": tensor for split in scores for name, tensor in TWO_GATES.items()}
        save_file(tensors, directory.path / "gates.safetensors")
    given = {
        "schema": SCHEMA,
        "started": "2026-01-01T00:00:00+00:00",
        "fingerprints": {"dataset": "world", "features": "features"},
        "store": "none",
        "parameters": 1_000,
        "trained_parameters": 1_500_000,
        "train_seconds": 61.0,
        "index_seconds": 2.5,
        "query_seconds": 0.4,
        "queries": 100,
        "text_length": 40,
        "training_videos": 2000,
        "peak_memory_bytes": 10**9,
    }
    write_json(directory.path / "manifest.json", given | manifest)
    directory.set_status("done")
    return directory, spec


TWO_GATES = {
    "video": torch.tensor([0, 1]),
    "gates": torch.tensor([[0.2, 0.8], [0.5, 0.4]]),
    "audible": torch.tensor([True, True]),
    "truth": torch.tensor([[False, True], [True, False]]),
}


def add_result(
    directory: RunDirectory,
    scores: Tensor,
    video_of_text: Tensor,
    *,
    names: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
) -> None:
    """Gives a made run the leak-free results of a score matrix `(N, V)`, in place of those it has.

    Gates in metrics.json stay. Videos and captions are numbered unless named.
    """
    names = names or [f"clip {v}" for v in range(scores.shape[1])]
    captions = captions or [f"caption {t}" for t in range(len(scores))]
    videos = tuple(Video(name, Path(f"{name}.mp4")) for name in names)
    split = Split(videos, tuple(captions), tuple(video_of_text.tolist()))
    gates = directory.read_json("metrics.json")["gates"]
    results = [
        Result(
            "test",
            "leak-free",
            "none",
            "none",
            1e-6,
            records,
            top_lists(scores, video_of_text, direction),
            "exact",
        )
        for direction, records in (
            ("t2v", text_to_video(scores, video_of_text)),
            ("v2t", video_to_text(scores, video_of_text)),
        )
    ]
    write_results(directory.path, directory.read_spec(), {"test": split}, results, {})
    write_json(directory.path / "metrics.json", {**directory.read_json("metrics.json"), "gates": gates})


def query_rows(entry: dict[str, Any], seed: int = 0) -> pd.DataFrame:
    """Ranks of the entry's queries, each with a clip of its own, that give its R@1.

    Whole hits are queries at rank 1, spread by `seed`, the others rank twelfth; what remains of a hit is one
    query at rank 1 that ties with others.
    """
    protocol = entry["protocol"]
    queries, undefined = protocol["queries"], entry["metrics"]["expected"]["undefined"]
    order = np.random.default_rng(seed).permutation(queries)
    parts = entry["strata"] or {"": entry["metrics"]["expected"]["R@1"]}
    best, ties = np.full(queries, 12), np.zeros(queries, dtype=int)
    strata = np.full(queries, "", dtype=object)
    for (stratum, points), places in zip(parts.items(), np.array_split(order, len(parts)), strict=True):
        hits = points * len(places) / 100
        strata[places] = stratum
        best[places[: int(hits)]] = 1
        if hits % 1 > 1e-9:
            best[places[int(hits)]], ties[places[int(hits)]] = 1, round(1 / (hits % 1) - 1)
    names = [f"clip {i}" for i in range(queries)]
    counts = dict.fromkeys(COUNTS, 0) | {"greater": best - 1, "above": best - 1, "ties": ties, "equal": ties}
    score = np.full(queries, 0.5)
    score[:undefined] = np.nan
    defined = np.isfinite(score)
    return pd.DataFrame(
        {key: protocol[key] for key in ("split", "condition", "rescoring")}
        | {
            "direction": entry["direction"],
            "query": np.arange(queries),
            "text": [f"caption {i}" for i in range(queries)] if entry["direction"] == "t2v" else names,
            "video": names,
            "group": names,
            "stratum": strata,
            **counts,
            "rank_expected": np.where(defined, best + ties / 2, np.nan),
            "rank_optimistic": np.where(defined, best, np.nan),
            "rank_pessimistic": np.where(defined, best + ties, np.nan),
            "own_score": score,
            "best_wrong_video": names[1:] + names[:1],
            "best_wrong_score": 0.4,
        }
    )


def top_rows(queries: pd.DataFrame) -> pd.DataFrame:
    """Lists of two for the queries: the right answer, and the best wrong one."""
    keys = ["split", "condition", "rescoring", "direction", "query"]
    lists = [
        queries[keys].assign(position=position, video=queries[column], score=score)
        for position, (column, score) in enumerate((("video", 0.5), ("best_wrong_video", 0.4)), start=1)
    ]
    return pd.concat(lists, ignore_index=True)
