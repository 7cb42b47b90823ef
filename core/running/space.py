"""The disk that a run folder takes, known before its cell starts."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from core.paths import require_space
from core.retriever import Retriever, SplitData
from core.spec import RunSpec

TOP_BYTES = 600
"""A little more than what a query takes in queries.parquet and top.parquet under one protocol."""
OTHER_BYTES = 2_000_000
"""A little more than what log, metrics, manifest and gates take."""
MOMENTS = 2
"""Tensors that the optimiser keeps of each trained parameter."""


def tensor_bytes(state: Mapping[str, Tensor]) -> int:
    """Bytes of the tensors."""
    return sum(tensor.nbytes for tensor in state.values())


def resume_bytes(retriever: Retriever) -> int:
    """Size of resume.pt: the weights, the selected ones, and the optimiser's moments."""
    moments = MOMENTS * sum(p.nbytes for p in retriever.parameters() if p.requires_grad)
    return 2 * tensor_bytes(retriever.trained_state()) + moments


def run_bytes(retriever: Retriever, data: Mapping[str, SplitData], spec: RunSpec) -> int:
    """Most bytes that a cell's folder takes at a time.

    While a new resume.pt is written the old one is there; it goes when the results are complete.
    """
    state = resume_bytes(retriever) if spec.training.epochs else 0
    protocols = len(spec.evaluation.conditions) * len(spec.evaluation.rescoring)
    queries = sum(
        len(data[name].tokens) + len(data[name].rows) for name in spec.evaluation.splits if name in data
    )
    results = tensor_bytes(retriever.trained_state()) + TOP_BYTES * protocols * queries + OTHER_BYTES
    return state + max(state, results)


def require_run_space(
    folder: Path, retriever: Retriever, data: Mapping[str, SplitData], spec: RunSpec
) -> None:
    """Raises `BenchError` where a cell's folder would not find the space that it will need."""
    before = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    require_space(folder, run_bytes(retriever, data, spec) - before)
