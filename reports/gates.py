"""The gates that a run has left behind, read back."""

from collections.abc import Mapping

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.errors import BenchError
from core.running.cells import small_method
from reports.collect import Run


def stored_gates(run: Run, split: str) -> Mapping[str, Tensor] | None:
    """`video`, `gates`, `audible` and, where known, `truth` and `untrained` of a split.

    None for a run without gates; raises `BenchError` where the file is damaged.
    """
    if split not in run.metrics["gates"]:
        return None
    path = run.directory.path / "gates.safetensors"
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BenchError(f"{path} is damaged ({error}); delete the folder and run the cell again") from error
    return {name.removeprefix(f"{split}/"): t for name, t in stored.items() if name.startswith(f"{split}/")}


def has_gate_per_frame(run: Run) -> bool:
    """Whether a run's gates are one per frame, and not one per layer."""
    return small_method(run.spec).gate_axis == "frame"
