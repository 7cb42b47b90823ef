"""Encode once, score in tiles, rank, rescore: every protocol that a run asks for, on one checkpoint."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.batch import Texts
from core.gates import GateReport, gate_report
from core.method import Method
from core.metrics import rank_metrics
from core.misses import count_misses
from core.noise import KeyedNoise, NoiseMode
from core.progress import Progress
from core.ranking import QueryRecords, text_to_video, video_to_text
from core.rescoring import (
    DUAL_SOFTMAX_PROTOCOL,
    RESCORED_TOLERANCE,
    dual_softmax,
    qb_norm,
    qb_norm_protocol,
    query_bank,
)
from core.results import Result, write_results
from core.retriever import Retriever, SplitData
from core.runs import RunDirectory
from core.scoring import Condition, ScoringIndex, build_index, exact_arithmetic, score_matrix
from core.similarities import similarities
from core.spec import RunSpec
from core.top import top_lists


@dataclass(frozen=True)
class Encoded:
    """A split as scoring needs it."""

    texts: Texts
    index: ScoringIndex
    pairing: Tensor
    """`(N,)` int64: video position of each text."""
    index_seconds: float = 0.0
    """What encoding the videos and building the index took."""
    text_seconds: float = 0.0
    """What encoding the texts took."""


@dataclass(frozen=True)
class ScoringCost:
    """Seconds that leak-free scoring took, all splits together; features come from the store."""

    index_seconds: float
    """Encoding the videos and building the index, once per corpus."""
    query_seconds: float
    """Encoding the texts and scoring them against every video."""
    queries: int
    """Texts that were scored."""


def clock() -> float:
    """Seconds on a clock that runs on only when the GPU, where there is one, has done its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def encode(retriever: Retriever, data: SplitData) -> Encoded:
    """Encodes a split's captions and videos and builds the method's index."""
    with exact_arithmetic(retriever.method):
        retriever.eval()
        started = clock()
        texts = retriever.encode_texts(data)
        encoded = clock()
        videos = retriever.encode_videos(data)
    index = build_index(retriever.method, videos)
    return Encoded(texts, index, data.pairing, clock() - encoded, encoded - started)


def scores_of(retriever: Retriever, encoded: Encoded, condition: Condition, spec: RunSpec) -> Tensor:
    """All scores `(N, V)` of an encoded split; the released condition always draws fresh noise."""
    mode: NoiseMode = "fresh" if condition == "released" else spec.config.get("noise", "per-text")
    return score_matrix(
        retriever.method,
        encoded.texts,
        encoded.index,
        condition=condition,
        pairing=encoded.pairing,
        noise=KeyedNoise(spec.seeds.noise, mode),
    )


def recall_at_1(retriever: Retriever, data: SplitData, spec: RunSpec) -> float:
    """Leak-free text-to-video R@1 in points, ties in random order; what selects a checkpoint."""
    encoded = encode(retriever, data)
    scores = scores_of(retriever, encoded, "query", spec)
    records = text_to_video(scores, encoded.pairing, tolerance=spec.evaluation.tie_tolerance)
    return rank_metrics(records).recall[1]


def bank_of(data: SplitData, size: int) -> SplitData:
    """At most `size` captions of a split, evenly spaced, as QB-Norm's bank of queries."""
    chosen = torch.linspace(0, len(data.tokens) - 1, min(size, len(data.tokens))).long()
    return SplitData(data.split, data.tokens[chosen], data.text_keys[chosen], data.pairing[chosen], data.rows)


def rescored(
    retriever: Retriever,
    encoded: Encoded,
    scores: Tensor,
    condition: Condition,
    data: dict[str, SplitData],
    spec: RunSpec,
) -> Iterator[tuple[str, str, Tensor]]:
    """Each rescoring of a score matrix: its name, the label that belongs into its protocol, and the scores.

    QB-Norm's bank has no ground-truth videos in the gallery, so it exists only under `query`.
    """
    if "none" in spec.evaluation.rescoring:
        yield "none", "none", scores
    if "dsl" in spec.evaluation.rescoring:
        yield "dsl", DUAL_SOFTMAX_PROTOCOL, dual_softmax(scores)
    if "qb-norm" in spec.evaluation.rescoring and condition == "query":
        bank = bank_of(data[spec.evaluation.qb_bank], spec.evaluation.qb_bank_size)
        with exact_arithmetic(retriever.method):
            texts = retriever.encode_texts(bank)
        bank_scores = scores_of(retriever, Encoded(texts, encoded.index, bank.pairing), "query", spec)
        label = f"{qb_norm_protocol(spec.evaluation.qb_bank)}, {len(bank.tokens)} captions"
        yield "qb-norm", label, qb_norm(scores, query_bank(bank_scores))


def evaluate(
    retriever: Retriever,
    untrained: Method,
    data: dict[str, SplitData],
    spec: RunSpec,
    directory: RunDirectory,
    progress: Progress,
    protocol: Mapping[str, str] | None = None,
) -> ScoringCost:
    """Scores every split and condition of the spec and writes the results into the run's folder.

    `untrained` is the control of the gate report, `protocol` what the data set adds to that of the results.
    """
    results: list[Result] = []
    gates: dict[str, GateReport] = {}
    index_seconds = query_seconds = 0.0
    with progress.task("score", len(spec.evaluation.splits) * len(spec.evaluation.conditions)) as advance:
        for name in spec.evaluation.splits:
            split = data[name]
            encoded = encode(retriever, split)
            index_seconds += encoded.index_seconds
            for condition in spec.evaluation.conditions:
                started = clock()
                scores = scores_of(retriever, encoded, condition, spec)
                if condition == "query":
                    query_seconds += encoded.text_seconds + clock() - started
                for rescoring, label, matrix in rescored(retriever, encoded, scores, condition, data, spec):
                    tolerance = spec.evaluation.tie_tolerance if rescoring == "none" else RESCORED_TOLERANCE
                    for records in both_directions(matrix, split.pairing, tolerance, condition):
                        if rescoring == "qb-norm" and records.direction == "v2t":
                            continue  # rows stand on two scales, so texts cannot be compared with each other
                        counted = count_misses(records, split.split)
                        top = top_lists(matrix, split.pairing, records.direction)
                        cosines = rescoring == "none" and records.direction == "t2v"
                        pairs = similarities(matrix, split.pairing) if cosines else None
                        results.append(
                            Result(name, condition, rescoring, label, tolerance, counted, top, pairs)
                        )
                advance(1, f"{name} {condition}")
            report = gate_report(retriever, untrained, split)
            if report is not None:
                gates[name] = report
    splits = {name: split.split for name, split in data.items()}
    write_results(directory.path, spec, splits, results, gates, protocol)
    queries = sum(len(data[name].tokens) for name in spec.evaluation.splits)
    return ScoringCost(index_seconds, query_seconds, queries)


def both_directions(
    scores: Tensor, pairing: Tensor, tolerance: float, condition: Condition
) -> tuple[QueryRecords, QueryRecords]:
    """Records of both directions; only the released condition may leave scores undefined."""
    undefined: Literal["allow", "refuse"] = "allow" if condition == "released" else "refuse"
    return (
        text_to_video(scores, pairing, tolerance=tolerance, undefined=undefined),
        video_to_text(scores, pairing, tolerance=tolerance, undefined=undefined),
    )
