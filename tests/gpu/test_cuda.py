"""On a GPU the engine computes what it computes on a CPU, and lives with the memory that there is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.process_gradients import Case, gradient_of, relative_difference
from core.batch import Rows, Texts
from core.progress import Silent
from core.registry import registered_methods
from core.retriever import SplitData
from core.running.cells import RunInputs
from core.scoring.noise import KeyedNoise
from core.scoring.scoring import build_index, score_matrix
from core.training.loading import Loader
from core.training.randomness import RandomState
from core.training.training import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")

QUIET = {"clip4clip": {}, "avigate": {}, "xpool": {"config.dropout": 0.0}}
"""Methods whose training can be made to draw nothing: devices draw differently."""


@pytest.mark.parametrize("method", sorted(QUIET))
def test_the_gradient_is_the_cpus(method: str) -> None:
    expected = gradient_of(Case(method, torch.float64, QUIET[method]))
    found = gradient_of(Case(method, torch.float64, QUIET[method], device="cuda"))
    on_cpu = {name: gradient.cpu() for name, gradient in found.items()}
    assert relative_difference(on_cpu, expected) < 1e-9


@pytest.mark.parametrize("method", sorted(registered_methods()))
def test_micro_batches_give_the_gradient_of_the_whole_batch(method: str) -> None:
    whole = gradient_of(Case(method, torch.float64, device="cuda"))
    parts = gradient_of(Case(method, torch.float64, {"training.micro_batch": 2}, device="cuda"))
    assert relative_difference(parts, whole) < 1e-9


def test_compiled_towers_give_the_gradient() -> None:
    plain = gradient_of(Case("clip4clip", device="cuda"))
    compiled = gradient_of(Case("clip4clip", overrides={"training.compile": True}, device="cuda"))
    assert relative_difference(compiled, plain) < 1e-4


@pytest.mark.parametrize("method", sorted(registered_methods()))
def test_scores_are_the_cpus(method: str, make_retriever: Callable[..., Any], materials: RunInputs) -> None:
    retriever, _ = make_retriever(method)
    data = SplitData.of(materials.dataset.splits["test"], materials.clip, materials.store)
    videos = materials.features.videos(data.rows)
    texts = Texts(torch.randn(40, materials.clip.width), torch.arange(40))

    def scores(device: str) -> torch.Tensor:
        built = retriever.method.to(device)
        given: list[Rows] = [texts.to(device), videos.to(device)]
        return score_matrix(built, given[0], build_index(built, given[1]), noise=KeyedNoise(0, "per-text"))

    torch.testing.assert_close(scores("cuda"), scores("cpu"), rtol=0, atol=1e-5)


def test_the_random_state_of_the_device_is_put_back() -> None:
    own = torch.Generator("cuda").manual_seed(1)
    state = RandomState.of(own)
    first = torch.rand(5, device="cuda"), torch.rand(5, device="cuda", generator=own)
    state.restore(own)
    again = torch.rand(5, device="cuda"), torch.rand(5, device="cuda", generator=own)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_where_the_device_is_full_the_micro_batch_is_halved(
    make_retriever: Callable[..., Any], materials: RunInputs, tmp_path: Path
) -> None:
    wanted = {"training__mode": "finetune", "training__epochs": 1, "training__selection": "last"}
    retriever, spec = make_retriever("clip4clip", **wanted)
    retriever.to("cuda")
    data = SplitData.of(materials.dataset.splits["train"], materials.clip, materials.store)
    trainer = Trainer(retriever, spec.training, spec.seeds, tmp_path)
    batch = next(iter(Loader(retriever, data, spec.training, spec.seeds).epoch(0))).to(retriever.device)
    total = torch.cuda.get_device_properties(0).total_memory
    resting = torch.cuda.memory_reserved()
    torch.cuda.reset_peak_memory_stats()
    trainer.step(batch, total=10)
    needed = torch.cuda.max_memory_allocated() - resting
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 0.6 * needed) / total)
    try:
        trainer.step(batch, total=10)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert trainer.done.micro_batch < spec.training.batch_size


def test_a_run_trains_in_half_precision(
    make_retriever: Callable[..., Any], materials: RunInputs, tmp_path: Path
) -> None:
    for precision in ("bfloat16", "float16"):
        wanted = {"training__mode": "finetune", "training__epochs": 1, "training__precision": precision}
        retriever, spec = make_retriever("gaid", **wanted, training__selection="last")
        retriever.to("cuda")
        before = retriever.trained_state()
        (tmp_path / precision).mkdir()
        data = SplitData.of(materials.dataset.splits["train"], materials.clip, materials.store)
        Trainer(retriever, spec.training, spec.seeds, tmp_path / precision).fit(data, lambda: 0.0, Silent())
        after = retriever.trained_state()
        assert {tensor.dtype for tensor in after.values()} == {torch.float32}
        assert any(not torch.equal(before[name], after[name]) for name in before)
