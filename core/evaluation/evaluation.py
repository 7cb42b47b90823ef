"""Encode once, score in tiles, rank, rescore: every protocol that a run asks for, on one checkpoint."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from core.dataset import Split
from core.evaluation.gallery_size import CURVES, recall_over_sizes
from core.evaluation.gates import GateReport, gate_report
from core.evaluation.metrics import rank_metrics
from core.evaluation.misses import count_misses, with_absent_videos
from core.evaluation.query_cost import SAMPLED_QUERIES, QueryCost, query_cost
from core.evaluation.ranking import QueryRecords, text_to_video, video_to_text
from core.evaluation.rescoring import (
    DUAL_SOFTMAX_PROTOCOL,
    RESCORED_TOLERANCE,
    dual_softmax,
    qb_norm,
    qb_norm_protocol,
    query_bank,
)
from core.evaluation.results import Result, write_results
from core.evaluation.split_scores import (
    Encoded,
    OnPairs,
    check_budget,
    encode,
    fits,
    pairs_to_score,
    scores_of,
    strips_of,
)
from core.evaluation.streaming import streamed_ranking
from core.evaluation.top import TopLists, top_lists
from core.method import Method
from core.progress import Progress
from core.retriever import Retriever, SplitData
from core.runs import RunDirectory, write_json
from core.scoring.scoring import Condition, exact_arithmetic
from core.scoring.similarities import Similarities, similarities
from core.spec import RunSpec


@dataclass(frozen=True)
class ScoringCost:
    """What leak-free scoring took; features come from the store."""

    index_seconds: float
    """Encoding the videos and building the index, all splits together."""
    query: QueryCost
    """Of queries of the first split."""


def recall_at_1(retriever: Retriever, data: SplitData, spec: RunSpec, folder: Path) -> float:
    """Leak-free text-to-video R@1 in points, ties in random order; what selects a checkpoint.

    Scores that do not fit into memory are kept in `folder` meanwhile.
    """
    spec = as_is(spec)
    encoded, tolerance = encode(retriever, data, spec), spec.evaluation.tie_tolerance
    if fits(len(encoded.texts), len(encoded.index), spec):
        scores = scores_of(retriever, encoded, "leak-free", spec)
        records = text_to_video(scores, encoded.pairing, tolerance=tolerance)
    else:
        with strips_of(retriever, encoded, "leak-free", spec, folder) as strips:
            records, _ = streamed_ranking(
                strips, len(encoded.index), encoded.pairing, tolerance=tolerance, kept=0
            ).records
    return rank_metrics(records).recall[1]


def as_is(spec: RunSpec) -> RunSpec:
    """The spec with sound and pictures as they are: what a checkpoint is chosen under."""
    whole = spec.evaluation.model_copy(update={"audio": "as-is", "picture": "as-is"})
    return spec.model_copy(update={"evaluation": whole})


def bank_of(data: SplitData, size: int) -> SplitData:
    """At most `size` captions of a split, evenly spaced, as QB-Norm's bank or for a measurement."""
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

    QB-Norm's bank has no ground-truth videos in the gallery, so it exists only under `leak-free`.
    """
    if "none" in spec.evaluation.rescoring:
        yield "none", "none", scores
    if "dsl" in spec.evaluation.rescoring:
        yield "dsl", DUAL_SOFTMAX_PROTOCOL, dual_softmax(scores)
    if (
        "qb-norm" in spec.evaluation.rescoring
        and condition == "leak-free"
        and spec.evaluation.qb_bank in data
    ):
        bank = bank_of(data[spec.evaluation.qb_bank], spec.evaluation.qb_bank_size)
        with exact_arithmetic(retriever.method):
            texts = retriever.encode_texts(bank)
        bank_scores = scores_of(retriever, Encoded(texts, encoded.index, bank.pairing), "leak-free", spec)
        beta, theta = spec.evaluation.qb_beta, spec.evaluation.qb_theta
        name = qb_norm_protocol(spec.evaluation.qb_bank, beta, theta=theta)
        label = f"{name}, {len(bank.tokens)} captions"
        yield "qb-norm", label, qb_norm(scores, query_bank(bank_scores, beta=beta, theta=theta))


def evaluate(
    retriever: Retriever,
    untrained: Method,
    data: dict[str, SplitData],
    spec: RunSpec,
    directory: RunDirectory,
    progress: Progress,
    protocol: Mapping[str, str] | None = None,
    decided: Collection[str] = (),
) -> ScoringCost:
    """Scores every split and condition of the spec and writes the results into the run's folder.

    `untrained` is the control of the gate report, `protocol` what the data set adds to that of the results,
    `decided` are the keys that the authors' checkpoint decides.
    """
    check_budget({name: (len(s.tokens), len(s.rows)) for name, s in data.items()}, spec)
    results: list[Result] = []
    gates: dict[str, GateReport] = {}
    curves: dict[str, list[dict[str, float]]] = {}
    index_seconds = 0.0
    costs: list[QueryCost] = []
    pairs = sum(pairs_to_score(data[name], spec, directory.path) for name in spec.evaluation.splits)
    with progress.task("score", pairs * len(spec.evaluation.conditions)) as advance:
        for name in spec.evaluation.splits:
            encoded = encode(retriever, data[name], spec, spec.evaluation.conditions)
            index_seconds += encoded.index_seconds
            if not costs:
                costs.append(query_cost(retriever, encoded, bank_of(data[name], SAMPLED_QUERIES), spec))
            for condition in spec.evaluation.conditions:

                def on_pairs(count: int, note: str = f"{name} {condition}") -> None:
                    advance(count, note)

                ranked: Iterable[Ranked]
                if fits(len(encoded.texts), len(encoded.index), spec):
                    scores = scores_of(retriever, encoded, condition, spec, on_pairs)
                    ranked = matrix_records(retriever, encoded, scores, condition, data, spec)
                    if condition == "leak-free" and data[name].distractors:
                        curves[name] = recall_over_sizes(
                            scores, encoded.pairing, data[name].distractors, spec.evaluation.tie_tolerance
                        )
                else:
                    ranked = strip_records(retriever, encoded, condition, spec, directory.path, on_pairs)
                    if condition == "leak-free" and data[name].distractors:
                        progress.say(
                            f"{name}: the curve over the gallery's size is left out: its scores do not fit "
                            "into memory; raise evaluation.memory_budget"
                        )
                for found in ranked:
                    results.append(found.result(name, condition, encoded.index.engine, data[name].split))
            # a gate is judged by the truth of the sound that the clip has
            report = gate_report(retriever, untrained, data[name]) if spec == as_is(spec) else None
            if report is not None:
                gates[name] = report
    splits = {name: split.split for name, split in data.items()}
    write_results(directory.path, spec, splits, results, gates, protocol, decided)
    if curves:
        write_json(directory.path / CURVES, curves)
    return ScoringCost(index_seconds, costs[0])


@dataclass(frozen=True)
class Ranked:
    """What ranking made of the scores of a split's present part, in one direction."""

    rescoring: str
    label: str
    """What names the rescoring in a protocol."""
    tolerance: float
    """Of ties."""
    records: QueryRecords
    top: TopLists
    similarities: Similarities | None = None

    def result(self, split: str, condition: Condition, engine: str, whole: Split) -> Result:
        """The result of the whole split, its absent videos counted as misses."""
        return Result(
            split,
            condition,
            self.rescoring,
            self.label,
            self.tolerance,
            count_misses(self.records, whole),
            with_absent_videos(self.top, self.records.direction, whole),
            engine,
            self.similarities,
        )


def matrix_records(
    retriever: Retriever,
    encoded: Encoded,
    scores: Tensor,
    condition: Condition,
    data: dict[str, SplitData],
    spec: RunSpec,
) -> Iterator[Ranked]:
    """Ranks a score matrix after each rescoring, in both directions."""
    for rescoring, label, matrix in rescored(retriever, encoded, scores, condition, data, spec):
        tolerance = spec.evaluation.tie_tolerance if rescoring == "none" else RESCORED_TOLERANCE
        for records in both_directions(matrix, encoded.pairing, tolerance, condition):
            if rescoring == "qb-norm" and records.direction == "v2t":
                continue  # rows stand on two scales, so texts cannot be compared with each other
            top = top_lists(matrix, encoded.pairing, records.direction)
            cosines = rescoring == "none" and records.direction == "t2v"
            pairs = similarities(matrix, encoded.pairing) if cosines else None
            yield Ranked(rescoring, label, tolerance, records, top, pairs)


def strip_records(
    retriever: Retriever,
    encoded: Encoded,
    condition: Condition,
    spec: RunSpec,
    folder: Path,
    on_pairs: OnPairs,
) -> list[Ranked]:
    """Ranks plain scores in both directions without holding them all; they are kept in `folder` meanwhile."""
    tolerance, videos = spec.evaluation.tie_tolerance, len(encoded.index)
    with strips_of(retriever, encoded, condition, spec, folder, on_pairs) as strips:
        found = streamed_ranking(
            strips, videos, encoded.pairing, tolerance=tolerance, undefined=undefined_rule(condition)
        )
    both = zip(found.records, found.lists, strict=True)
    return [Ranked("none", "none", tolerance, records, lists) for records, lists in both]


def undefined_rule(condition: Condition) -> Literal["allow", "refuse"]:
    """Only the released condition may leave scores undefined."""
    return "allow" if condition == "released" else "refuse"


def both_directions(
    scores: Tensor, pairing: Tensor, tolerance: float, condition: Condition
) -> tuple[QueryRecords, QueryRecords]:
    """Records of both directions, text-to-video first."""
    undefined = undefined_rule(condition)
    return (
        text_to_video(scores, pairing, tolerance=tolerance, undefined=undefined),
        video_to_text(scores, pairing, tolerance=tolerance, undefined=undefined),
    )
