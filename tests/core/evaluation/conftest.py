"""The splits of the tiny world, and a checkpoint that was evaluated on them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.evaluation.evaluation import evaluate
from core.progress import Silent
from core.retriever import SplitData
from core.running.cells import RunInputs, build_method
from core.runs import RunDirectory


@pytest.fixture(scope="session")
def data(materials: RunInputs) -> dict[str, SplitData]:
    return {
        name: SplitData.of(split, materials.clip, materials.store)
        for name, split in materials.dataset.splits.items()
    }


@pytest.fixture(scope="session")
def evaluated(
    make_retriever: Callable,
    materials: RunInputs,
    data: dict[str, SplitData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("run")
    retriever, spec = make_retriever("gaid")
    untrained = build_method(spec, materials, seed=1)
    cost = evaluate(retriever, untrained, data, spec, RunDirectory(folder), Silent())
    assert min(cost.index_seconds, cost.query.seconds) > 0
    assert 0 < cost.query.queries <= len(data["test"].tokens)
    return folder
