"""Training on a few pairs of the tiny world, so that a whole run takes a fraction of a second."""

from core.retriever import SplitData
from core.running.cells import RunInputs

PAIRS, BATCH = 48, 16
STEPS = PAIRS // BATCH
"""Optimiser steps of an epoch."""
SMALL = {
    "training__mode": "text-tuned",
    "training__batch_size": BATCH,
    "training__epochs": 3,
    "training__captions": "every",
}


def first_pairs(materials: RunInputs, count: int = PAIRS) -> SplitData:
    data = SplitData.of(materials.dataset.splits["train"], materials.clip, materials.store)
    return SplitData(data.split, data.tokens[:count], data.text_keys[:count], data.pairing[:count], data.rows)


def no_validation() -> float:
    raise AssertionError("a run that keeps its last epoch does not validate")
