"""What scoring leaves in a run's folder: metrics.json, queries.parquet, top.parquet, gates.safetensors."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor

from core.dataset import Split
from core.evaluation.gates import GateReport
from core.evaluation.measures import HUB_SIZE, MEASURES, ranks_of
from core.evaluation.ranking import QueryRecords
from core.evaluation.statistics import bootstrap_interval
from core.evaluation.tie_policies import TIE_POLICIES, TiePolicy, mean_ranks, recall_credit
from core.evaluation.top import TopLists, times_listed
from core.paths import written_whole
from core.protocol import differs_from_authors, protocol_fields
from core.runs import write_json
from core.scoring.similarities import Similarities
from core.spec import SCHEMA, RunSpec

RANK_COUNTS = ("greater", "ties", "above", "equal", "equal_before", "undefined")
"""What is stored of `Counts`: every rank under every tie policy follows from them."""


@dataclass(frozen=True)
class Result:
    """One direction of one protocol."""

    split: str
    condition: str
    rescoring: str
    label: str
    """What the rescoring used, for the protocol."""
    tolerance: float
    """Scores that differ by at most this much were counted as ties."""
    records: QueryRecords
    top: TopLists
    """The best candidates of each query, in the order of the records."""
    engine: str
    """What scored: `exact`, or the modules and why."""
    similarities: Similarities | None = None
    """Of all pairs; None where scores are no cosines, where they were ranked in strips, and in video-to-text,
    which sees the same ones."""


def write_results(
    folder: Path,
    spec: RunSpec,
    splits: Mapping[str, Split],
    results: Sequence[Result],
    gates: Mapping[str, GateReport],
    protocol: Mapping[str, str] | None = None,
    decided: Collection[str] = (),
) -> None:
    """Writes the four files, each whole or not at all.

    `protocol` is what the data set has to say, `decided` are the keys that the authors' checkpoint decides.
    """
    data = {**spec.data, **(protocol or {})}
    entries = [entry(spec, splits[result.split], result, data, decided) for result in results]
    reports = {
        name: {"axis": report.axis, "auroc": report.auroc, "average_precision": report.average_precision}
        for name, report in gates.items()
    }
    write_json(folder / "metrics.json", {"schema": SCHEMA, "results": entries, "gates": reports})
    for name, rows_of in (("queries.parquet", query_table), ("top.parquet", top_table)):
        table = pd.concat([rows_of(splits[result.split], result) for result in results], ignore_index=True)
        with written_whole(folder / name) as temporary:
            table.to_parquet(temporary, index=False, write_page_checksum=True)
    if gates:
        with written_whole(folder / "gates.safetensors") as temporary:
            save_file(gate_tensors(gates), temporary)


def entry(
    spec: RunSpec, split: Split, result: Result, data: Mapping[str, Any], decided: Collection[str] = ()
) -> dict[str, Any]:
    """The metrics of one direction with the protocol they were measured under; `data` is the data set's."""
    records = result.records
    expected = recall_credit(records, 1)
    clusters = cluster_ids(split, records.video)
    counted = expected.isfinite()
    interval = (
        bootstrap_interval(100 * expected[counted], clusters[counted], seed=0) if counted.any() else None
    )
    strata = strata_of(split, records.video)
    return {
        "direction": records.direction,
        "protocol": {
            "split": result.split,
            "condition": result.condition,
            "rescoring": result.rescoring,
            "rescoring_uses": result.label,
            **protocol_fields(spec),
            "recipe": spec.recipe,
            "differs_from_authors": differs_from_authors(spec, decided),
            "queries": len(records),
            "gallery": records.candidates,
            "tie_tolerance": result.tolerance,
            "noise_seed": spec.seeds.noise,
            "gallery_fingerprint": split.fingerprint,
            "engine": result.engine,
            "matmul_precision": spec.evaluation.precision,
            "data": dict(data),
        },
        "metrics": {policy: summary(result, policy) for policy in TIE_POLICIES},
        "recall_at_1_interval": None if interval is None else [interval.low, interval.high],
        "strata": {
            name: float(100 * expected[torch.tensor([s == name for s in strata])].nanmean())
            for name in dict.fromkeys(strata)
        },
        "similarities": similarity_record(result.similarities),
    }


def similarity_record(found: Similarities | None) -> dict[str, list[int]] | None:
    """Counts per bin of matched and of other pairs; None where there are none."""
    if found is None:
        return None
    return {"positive": found.positive.tolist(), "negative": found.negative.tolist()}


def summary(result: Result, policy: TiePolicy) -> dict[str, float]:
    """Every measure under a tie policy, with the number of entries averaged and of undefined queries."""
    listed = result.top.video[:, :HUB_SIZE][result.top.score[:, :HUB_SIZE] > -torch.inf]
    ranks = ranks_of(result.records, policy, times_listed(listed, result.records.candidates))
    known = len(ranks.defined().first)
    figures = {name: measure(ranks) for name, measure in MEASURES.items()}
    return {**figures, "entries": known, "undefined": len(ranks.first) - known}


def query_table(split: Split, result: Result) -> pd.DataFrame:
    """A row per query: what each tie policy needs, ranks under some of them, its score and its best rival."""
    records = result.records
    names = [split.videos[v].id for v in records.video.tolist()]
    rivals = [split.videos[v].id for v in records.counts.best_wrong.tolist()]
    asked = [split.captions[q] for q in records.query.tolist()] if records.direction == "t2v" else names
    ranks = {
        f"rank_{p}": mean_ranks(records, p).numpy()
        for p in ("expected", "optimistic", "pessimistic", "xpool")
    }
    return pd.DataFrame(
        {
            "split": result.split,
            "condition": result.condition,
            "rescoring": result.rescoring,
            "direction": records.direction,
            "query": records.query.numpy(),
            "text": asked,
            "video": names,
            "group": [split.videos[v].group or split.videos[v].id for v in records.video.tolist()],
            "stratum": strata_of(split, records.video) or "",
            **{name: getattr(records.counts, name).numpy() for name in RANK_COUNTS},
            **ranks,
            "own_score": records.own_score.numpy(),
            "best_wrong_video": rivals,
            "best_wrong_score": records.counts.best_wrong_score.numpy(),
        }
    )


def top_table(split: Split, result: Result) -> pd.DataFrame:
    """A row per query and kept candidate, best first; candidates without a score are left out."""
    top, kept = result.top, result.top.video.shape[1]
    table = pd.DataFrame(
        {
            "split": result.split,
            "condition": result.condition,
            "rescoring": result.rescoring,
            "direction": result.records.direction,
            "query": result.records.query.repeat_interleave(kept).numpy(),
            "position": torch.arange(1, kept + 1).repeat(len(top.video)).numpy(),
            "video": [split.videos[v].id for v in top.video.flatten().tolist()],
            "score": top.score.flatten().numpy(),
        }
    )
    return table[table["score"] > -np.inf]


def strata_of(split: Split, videos: Tensor) -> list[str]:
    """The stratum of each video `(Q,)`; empty where the world does not know it."""
    return [] if split.truth is None else [split.truth[v].stratum for v in videos.tolist()]


def cluster_ids(split: Split, videos: Tensor) -> Tensor:
    """An integer per query `(Q,)` that is equal for queries whose videos share a group of pixels."""
    groups = [split.videos[v].group or split.videos[v].id for v in videos.tolist()]
    number = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    return torch.tensor([number[name] for name in groups])


def gate_tensors(gates: Mapping[str, GateReport]) -> dict[str, Tensor]:
    """Gate values, truth and audibility per split, for figures."""
    tensors: dict[str, Tensor] = {}
    for name, report in gates.items():
        fields = {
            "video": report.video,
            "gates": report.values,
            "audible": report.audible,
            "truth": report.truth,
            "untrained": report.untrained,
        }
        tensors |= {f"{name}/{key}": value.contiguous() for key, value in fields.items() if value is not None}
    return tensors
