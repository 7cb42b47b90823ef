"""Finished runs written by hand, with figures that a test chooses."""

from pathlib import Path
from typing import Any

from core.runs import RunDirectory, open_run, write_json
from core.spec import RunSpec, resolve

RECALL = (1, 5, 10, 50, 100)
POLICIES = ("optimistic", "pessimistic", "expected", "clip4clip", "xpool")


def result(
    recall_at_1: float,
    *,
    condition: str = "query",
    direction: str = "t2v",
    rescoring: str = "none",
    split: str = "test",
    undefined: int = 0,
    interval: tuple[float, float] | None = None,
    strata: dict[str, float] | None = None,
) -> dict[str, Any]:
    """An entry of metrics.json; R@K grows by 10 points per K, MdR is 3.5 and MnR 12.25."""
    metrics = {f"R@{k}": min(100.0, recall_at_1 + 10 * i) for i, k in enumerate(RECALL)}
    metrics |= {"MdR": 3.5, "MnR": 12.25, "entries": 100, "undefined": undefined}
    protocol = {
        "split": split,
        "condition": condition,
        "rescoring": rescoring,
        "queries": 100,
        "gallery": 100,
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
    **manifest: Any,
) -> tuple[RunDirectory, RunSpec]:
    """A finished run under `root`, with whatever the manifest is to say."""
    spec = resolve(method, "avworld-tiny", overrides)
    directory = open_run(root, spec, spec.digest(str(manifest)))
    write_json(directory.path / "metrics.json", {"schema": 1, "results": results, "gates": gates or {}})
    given = {
        "schema": 1,
        "started": "2026-01-01T00:00:00+00:00",
        "fingerprints": {"dataset": "world", "features": "features"},
        "store": "none",
        "parameters": 1_500_000,
        "train_seconds": 61.0,
        "score_seconds": 2.5,
        "peak_memory_bytes": 10**9,
    }
    write_json(directory.path / "manifest.json", given | manifest)
    directory.set_status("done")
    return directory, spec
