"""Finished runs written by hand, with figures that a test chooses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from core.dataset import Split, Video
from core.evaluation.ranking import text_to_video, video_to_text
from core.evaluation.results import Result, write_results
from core.evaluation.top import top_lists
from core.runs import RunDirectory, open_run, write_json
from core.spec import RunSpec, resolve

RECALL = (1, 5, 10, 50, 100)
POLICIES = ("optimistic", "pessimistic", "expected", "clip4clip", "xpool")


def result(
    recall_at_1: float,
    *,
    condition: str = "leak-free",
    direction: str = "t2v",
    rescoring: str = "none",
    split: str = "test",
    undefined: int = 0,
    interval: tuple[float, float] | None = None,
    strata: dict[str, float] | None = None,
    gallery: str = "gallery",
    queries: int = 100,
) -> dict[str, Any]:
    """An entry of metrics.json; R@K grows by 10 points per K, MdR is 3.5 and MnR 12.25.

    `gallery` is its fingerprint; it holds a clip per query.
    """
    metrics = {f"R@{k}": min(100.0, recall_at_1 + 10 * i) for i, k in enumerate(RECALL)}
    metrics |= {"MdR": 3.5, "MnR": 12.25, "entries": queries, "undefined": undefined}
    protocol = {
        "split": split,
        "condition": condition,
        "rescoring": rescoring,
        "queries": queries,
        "gallery": queries,
        "gallery_fingerprint": gallery,
        "selection": "val",
        "training_pairs": "paired",
    }
    return {
        "direction": direction,
        "protocol": {**protocol, "rescoring_uses": f"what {rescoring} uses"},
        "metrics": {policy: metrics for policy in POLICIES},
        "recall_at_1_interval": None if interval is None else list(interval),
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
    """A finished run under `root`, with whatever the manifest is to say; `order` spreads its hits."""
    spec = resolve(method, "avworld-tiny", overrides)
    directory = open_run(root, spec, spec.digest(str(manifest)))
    write_json(directory.path / "metrics.json", {"schema": 3, "results": results, "gates": gates or {}})
    queries = pd.concat([query_rows(entry, order) for entry in results], ignore_index=True)
    queries.to_parquet(directory.path / "queries.parquet", index=False)
    given = {
        "schema": 3,
        "started": "2026-01-01T00:00:00+00:00",
        "fingerprints": {"dataset": "world", "features": "features"},
        "store": "none",
        "parameters": 1_500_000,
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

    Whole hits are queries at rank 1, spread by `seed`, the others stand at rank 12; what remains of a hit is
    one query at rank 1 that ties with others.
    """
    protocol = entry["protocol"]
    queries = protocol["queries"]
    hits = entry["metrics"]["expected"]["R@1"] * queries / 100
    order = np.random.default_rng(seed).permutation(queries)
    best, ties = np.full(queries, 12.0), np.zeros(queries)
    best[order[: int(hits)]] = 1
    if hits % 1:
        best[order[int(hits)]], ties[order[int(hits)]] = 1, 1 / (hits % 1) - 1
    names = [f"clip {i}" for i in range(queries)]
    return pd.DataFrame(
        {key: protocol[key] for key in ("split", "condition", "rescoring")}
        | {
            "direction": entry["direction"],
            "query": np.arange(queries),
            "text": [f"caption {i}" for i in range(queries)] if entry["direction"] == "t2v" else names,
            "video": names,
            "group": names,
            "stratum": "",
            "rank_expected": best + ties / 2,
            "rank_optimistic": best,
            "rank_pessimistic": best + ties,
            "best_wrong_video": names[1:] + names[:1],
        }
    )
