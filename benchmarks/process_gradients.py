"""The gradient of one global batch, by one process and by several: they must be the same.

`python -m benchmarks.process_gradients` prints the relative difference for every method, all weights
trained, in float32 (where other batch shapes round otherwise) and in float64.
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from core.cli.shell import console
from core.encoders.clip import ClipBackbone
from core.progress import Silent
from core.registry import registered_methods
from core.resolving import resolve
from core.retriever import Retriever, SplitData
from core.running.cells import build_method, prepare_inputs
from core.supervisor import CONTEXT
from core.training.gradient import BatchGradient
from core.training.loading import Batch, Loader
from core.training.world import ONE_PROCESS, World, joined

DATASET = "avworld-tiny"
PAIRS, FRAMES = 5, 3
"""Pairs of the batch, of which two processes get unequal parts, and frames of a clip."""
SECONDS = 240
"""After which a process that does not end is given up."""

Gradients = dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    """Which gradient is computed."""

    method: str
    dtype: torch.dtype = torch.float32
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Dotted spec keys."""
    device: str = "cpu"
    """Where it is computed."""


def gradient_of(case: Case, world: World = ONE_PROCESS) -> Gradients:
    """The gradient of every weight that `finetune` trains, on the first pairs of the tiny world."""
    wanted = {"training.mode": "finetune", "training.batch_size": PAIRS, "frames": FRAMES, **case.overrides}
    spec = resolve(case.method, DATASET, wanted)
    materials = prepare_inputs(spec, Silent(), workers=1)
    materials = replace(materials, clip=ClipBackbone.load(spec.backbone))  # towers of its own
    materials.clip.model.to(case.device)
    method = build_method(spec, materials, spec.seeds.initialisation)
    retriever = Retriever(materials.clip, method, materials.features, materials.store, spec.training)
    retriever.train().to(case.device, case.dtype)
    data = SplitData.of(materials.dataset.splits["train"], materials.clip, materials.store)
    generator = torch.Generator(case.device).manual_seed(spec.seeds.noise)
    torch.manual_seed(spec.seeds.noise)
    batch = Loader(retriever, data, spec.training, spec.seeds, world).read(torch.arange(PAIRS), epoch=0)
    BatchGradient(retriever, spec.training, generator, world)(in_precision(batch, case).to(retriever.device))
    return {name: p.grad for name, p in retriever.named_parameters() if p.grad is not None}


def in_precision(batch: Batch, case: Case) -> Batch:
    """The batch with its floating point tensors in the precision of a case."""
    return batch.map(lambda tensor: tensor.to(case.dtype) if tensor.is_floating_point() else tensor)


def gradients_of_processes(cases: Sequence[Case], processes: int) -> list[list[Gradients]]:
    """Per process the gradient of every case, computed by all of them together."""
    with tempfile.TemporaryDirectory() as folder:
        members = [
            CONTEXT.Process(target=member, args=(rank, processes, Path(folder), cases))
            for rank in range(processes)
        ]
        for process in members:
            process.start()
        for process in members:
            process.join(SECONDS)
        if any(process.exitcode != 0 for process in members):
            raise RuntimeError(f"exit codes {[process.exitcode for process in members]}")
        return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(processes)]


def member(rank: int, size: int, folder: Path, cases: Sequence[Case]) -> None:
    """What each process does."""
    torch.set_num_threads(1)
    with joined(f"file://{folder / 'meeting-point'}", rank, size) as world:
        found = [gradient_of(case, world) for case in cases]
    torch.save(found, folder / f"{rank}.pt")


def relative_difference(found: Gradients, expected: Gradients) -> float:
    """Norm of the difference over the norm of what is expected, all weights as one vector."""
    if found.keys() != expected.keys():
        raise ValueError(f"not the same weights: {sorted(found.keys() ^ expected.keys())}")
    pairs = [(found[name].double(), expected[name].double()) for name in expected]
    apart = sum(float((one - other).square().sum()) for one, other in pairs)
    return math.sqrt(apart / sum(float(other.square().sum()) for _, other in pairs))


def main() -> None:
    """Prints the table of all methods, for two processes."""
    torch.set_num_threads(1)
    cases = [Case(name, dtype) for name in registered_methods() for dtype in (torch.float32, torch.float64)]
    first, second = gradients_of_processes(cases, 2)
    table = Table("method", "precision", "2 processes against 1", "processes agree")
    for case, one, other in zip(cases, first, second, strict=True):
        difference = relative_difference(one, gradient_of(case))
        agree = all(torch.equal(one[name], other[name]) for name in one)
        table.add_row(case.method, str(case.dtype), f"{difference:.1e}", "bit for bit" if agree else "no")
    console.print(table)


if __name__ == "__main__":
    main()
