"""How long a query takes: measured several times, and marked where it was not alone on the machine."""

import time
from dataclasses import dataclass

import psutil
import torch

from core.evaluation.split_scores import Encoded, clock, scores_of
from core.retriever import Retriever, SplitData
from core.scoring.scoring import exact_arithmetic
from core.spec import RunSpec

REPEATS = 3
"""Measurements, at least, of which the fastest counts: what disturbs one only adds to it."""

WATCHED = 0.4
"""Seconds of measurements, at least: what processors have done is counted in hundredths of a second."""

OTHER_WORK = 0.2
"""Processors that all other processes together may use while a measurement counts as alone."""

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
    """Whether it ran alone and nothing disturbed it."""


def query_cost(retriever: Retriever, encoded: Encoded, sample: SplitData, spec: RunSpec) -> QueryCost:
    """The cost of the queries of `sample` against the index of `encoded`, leak-free."""
    measured: list[tuple[float, float]] = []
    began, own, machine = clock(), time.process_time(), machine_busy()
    while len(measured) < REPEATS or clock() - began < WATCHED:
        wall, busy = clock(), time.process_time()
        with exact_arithmetic(retriever.method):
            texts = retriever.encode_texts(sample)
        scores_of(retriever, Encoded(texts, encoded.index, sample.pairing), "leak-free", spec)
        measured.append((clock() - wall, time.process_time() - busy))
    machine, own = machine_busy() - machine, time.process_time() - own
    by_itself = measured_alone(clock() - began, own, machine)
    seconds, busy = min(measured)
    slowest = max(measured[:REPEATS])[0]
    on_gpu = torch.cuda.is_available()
    agreed = undisturbed(seconds, slowest if on_gpu else busy, on_gpu=on_gpu)
    return QueryCost(seconds, len(sample.tokens), by_itself and agreed)


def machine_busy() -> float:
    """Seconds that all processors of this machine have worked, for whatever process, added up."""
    counted = psutil.cpu_times()._asdict()
    working = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    return sum(float(counted.get(name, 0.0)) for name in working)


def measured_alone(elapsed: float, own: float, machine: float) -> bool:
    """Whether other processes left the machine to this one for `elapsed` seconds.

    `own` are the seconds that this process worked, on all processors; `machine` those of all processes, its
    own among them. Where the machine's do not hold even half its own they are not counted here, and nothing
    is known. A second cell of the command is another process, whichever processor it is on.
    """
    return machine >= own / 2 and machine - own <= OTHER_WORK * elapsed


def undisturbed(seconds: float, other: float, *, on_gpu: bool) -> bool:
    """Whether a fastest repeat of so many seconds can be relied on.

    `other` is the slowest repeat on a GPU, else the processor time of the fastest: a process that waits for
    a processor that others use has less of it than time passes.
    """
    return other <= SCATTERED * seconds if on_gpu else seconds <= DISTURBED * other
