"""How long a query takes: measured by itself, several times, and marked where something disturbed it."""

import time
from dataclasses import dataclass

import torch

from core.evaluation.split_scores import Encoded, clock, scores_of
from core.retriever import Retriever, SplitData
from core.scoring.scoring import exact_arithmetic
from core.spec import RunSpec

REPEATS = 3
"""Measurements of which the fastest counts: what disturbs one only adds to it."""

SAMPLED_QUERIES = 100
"""Texts of a measurement, at most."""

DISTURBED = 1.25
"""Elapsed by processor time from which on other work on the machine held the measurement up."""

SCATTERED = 1.5
"""Slowest by fastest repeat from which on a GPU's measurement is not to be relied on."""


@dataclass(frozen=True)
class QueryCost:
    """What some queries took together."""

    seconds: float
    """Encoding the texts and scoring them against every video, the fastest of the repeats."""
    queries: int
    reliable: bool
    """Whether nothing disturbed the measurement."""


def query_cost(retriever: Retriever, encoded: Encoded, sample: SplitData, spec: RunSpec) -> QueryCost:
    """The cost of the queries of `sample` against the index of `encoded`, leak-free."""
    measured = []
    for _ in range(REPEATS):
        wall, busy = clock(), time.process_time()
        with exact_arithmetic(retriever.method):
            texts = retriever.encode_texts(sample)
        scores_of(retriever, Encoded(texts, encoded.index, sample.pairing), "leak-free", spec)
        measured.append((clock() - wall, time.process_time() - busy))
    seconds, busy = min(measured)
    slowest = max(measured)[0]
    on_gpu = torch.cuda.is_available()
    return QueryCost(
        seconds, len(sample.tokens), undisturbed(seconds, slowest if on_gpu else busy, on_gpu=on_gpu)
    )


def undisturbed(seconds: float, other: float, *, on_gpu: bool) -> bool:
    """Whether a fastest repeat of so many seconds can be relied on.

    `other` is the slowest repeat on a GPU, else the processor time of the fastest: a process that waits for
    a processor that others use has less of it than time passes.
    """
    return other <= SCATTERED * seconds if on_gpu else seconds <= DISTURBED * other
