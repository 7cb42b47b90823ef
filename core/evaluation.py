"""Encode once, score in tiles, rank, rescore: every protocol that a run asks for, on one checkpoint."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.batch import Texts
from core.gates import GateReport, gate_report
from core.method import Method
from core.metrics import rank_metrics
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
from core.spec import RunSpec


@dataclass(frozen=True)
class Encoded:
    """A split as scoring needs it."""

    texts: Texts
    index: ScoringIndex
    pairing: Tensor
    """`(N,)` int64: video position of each text."""


def encode(retriever: Retriever, data: SplitData) -> Encoded:
    """Encodes a split's captions and videos and builds the method's index."""
    with exact_arithmetic(retriever.method):
        retriever.eval()
        texts = retriever.encode_texts(data)
        videos = retriever.encode_videos(data)
    index = build_index(retriever.method, videos)
    return Encoded(texts, index, data.pairing)


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
) -> float:
    """Scores every split and condition of the spec and writes the results into the run's folder.

    `untrained` is the control of the gate report. Returns the seconds of leak-free scoring, encoding
    and index included.
    """
    results: list[Result] = []
    gates: dict[str, GateReport] = {}
    seconds = 0.0
    with progress.task("score", len(spec.evaluation.splits) * len(spec.evaluation.conditions)) as advance:
        for name in spec.evaluation.splits:
            split = data[name]
            started = time.perf_counter()
            encoded = encode(retriever, split)
            for condition in spec.evaluation.conditions:
                scores = scores_of(retriever, encoded, condition, spec)
                if condition == "query":
                    seconds += time.perf_counter() - started
                for rescoring, label, matrix in rescored(retriever, encoded, scores, condition, data, spec):
                    tolerance = spec.evaluation.tie_tolerance if rescoring == "none" else RESCORED_TOLERANCE
                    for records in both_directions(matrix, split.pairing, tolerance, condition):
                        if rescoring == "qb-norm" and records.direction == "v2t":
                            continue  # rows stand on two scales, so texts cannot be compared with each other
                        results.append(Result(name, condition, rescoring, label, tolerance, records))
                advance(1, f"{name} {condition}")
            report = gate_report(retriever, untrained, split)
            if report is not None:
                gates[name] = report
    write_results(directory.path, spec, {name: split.split for name, split in data.items()}, results, gates)
    return seconds


def both_directions(
    scores: Tensor, pairing: Tensor, tolerance: float, condition: Condition
) -> tuple[QueryRecords, QueryRecords]:
    """Records of both directions; only the released condition may leave scores undefined."""
    undefined: Literal["allow", "refuse"] = "allow" if condition == "released" else "refuse"
    return (
        text_to_video(scores, pairing, tolerance=tolerance, undefined=undefined),
        video_to_text(scores, pairing, tolerance=tolerance, undefined=undefined),
    )
