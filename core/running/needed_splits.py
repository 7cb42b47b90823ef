"""Which splits of its data set a cell reads: known from its spec, before any file is."""

from collections.abc import Collection

from core.errors import BenchError
from core.spec import RunSpec


def needed_splits(spec: RunSpec) -> list[str]:
    """The splits that a cell trains on, selects by and is scored on; the last alone where nothing trains."""
    trains = ("train", "test" if spec.training.selection == "test-best" else "val")
    bank = [spec.evaluation.qb_bank] if spec.evaluation.rescoring == ("qb-norm",) else []
    return list(dict.fromkeys((*(trains if spec.training.epochs else ()), *spec.evaluation.splits, *bank)))


def require_splits(spec: RunSpec, present: Collection[str]) -> None:
    """Raises `BenchError` where a data set with these splits lacks one that a cell reads."""
    for name in needed_splits(spec):
        if name not in present:
            raise BenchError(f"{spec.dataset} has no split '{name}'; it has {', '.join(present)}")
