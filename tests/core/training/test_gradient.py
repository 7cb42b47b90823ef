"""The gradient is the whole batch's: in micro-batches, over processes, and after memory ran out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.process_gradients import (
    Case,
    gradient_of,
    gradients_of_processes,
    relative_difference,
)
from core.errors import BenchError
from core.progress import Silent
from core.registry import registered_methods
from core.running.cells import RunInputs
from core.training.training import Trainer
from tests.core.training.small_training import SMALL, first_pairs, no_validation

pytestmark = pytest.mark.slow

METHODS = sorted(registered_methods())
EXACT = 1e-12
"""Relative, in float64."""


@pytest.fixture(scope="module")
def whole() -> dict[str, dict[str, Tensor]]:
    """The gradient of every method by one process in one pass."""
    return {method: gradient_of(Case(method, torch.float64)) for method in METHODS}


@pytest.mark.parametrize(
    ("method", "checkpointing"),
    [*((method, False) for method in METHODS), ("clip4clip", True), ("gaid", True), ("cae_av", True)],
)
def test_micro_batches_give_the_gradient_of_the_whole_batch(
    method: str, checkpointing: bool, whole: dict[str, dict[str, Tensor]]
) -> None:
    options = {"training.micro_batch": 2, "training.activation_checkpointing": checkpointing}
    found = gradient_of(Case(method, torch.float64, options))
    assert relative_difference(found, whole[method]) <= EXACT


def test_channels_last_leaves_the_gradient_as_it_is(whole: dict[str, dict[str, Tensor]]) -> None:
    found = gradient_of(Case("clip4clip", torch.float64, {"training.channels_last": True}))
    assert relative_difference(found, whole["clip4clip"]) <= EXACT


def test_two_processes_give_the_gradient_of_one(whole: dict[str, dict[str, Tensor]]) -> None:
    exact = [Case(method, torch.float64) for method in METHODS]
    released = Case("clip4clip", torch.float64, {"training.gathered_gradient": "released"})
    first, second = gradients_of_processes([*exact, released], 2)
    for method, one, other in zip(METHODS, first, second, strict=False):
        assert relative_difference(one, whole[method]) <= EXACT, method
        assert all(torch.equal(one[name], other[name]) for name in one), method
    # CLIP4Clip as measured with its own code and two processes: half the gradient, all of the logit scale's.
    for name, gradient in first[-1].items():
        share = 1.0 if name == "method.logit_scale" else 0.5
        torch.testing.assert_close(gradient, share * whole["clip4clip"][name], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.1), ("float16", 0.02)])
def test_half_precision_towers_leave_float32_gradients_near_the_exact_ones(
    precision: str, tolerance: float
) -> None:
    found = gradient_of(Case("gaid", overrides={"training.precision": precision}))
    assert {gradient.dtype for gradient in found.values()} == {torch.float32}
    scale = 65536.0 if precision == "float16" else 1.0  # GradScaler's first scale
    exact = gradient_of(Case("gaid"))
    unscaled = {name: gradient / scale for name, gradient in found.items()}
    assert 1e-5 < relative_difference(unscaled, exact) < tolerance


def memory_for(pairs: int, encode: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A tower that runs out of memory with more pairs than it can take."""

    def tower(tokens: Tensor, *rest: Tensor) -> Tensor:
        if len(tokens) > pairs:
            raise torch.OutOfMemoryError("made by the test")
        return encode(tokens, *rest)

    return tower


@pytest.mark.parametrize("where", ["text_embeds", "frame_embeds"])
def test_where_memory_runs_out_the_micro_batch_is_halved_and_the_run_is_the_same(
    where: str,
    make_retriever: Callable[..., Any],
    materials: RunInputs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def train(folder: Path, memory: int | None, **options: Any) -> Trainer:
        wanted = {**SMALL, "training__epochs": 1, "training__mode": "finetune", "training__selection": "last"}
        retriever, spec = make_retriever("tmass", **{**wanted, **options})
        if memory:
            monkeypatch.setattr(retriever, where, memory_for(memory, getattr(retriever, where)))
        folder.mkdir()
        trainer = Trainer(retriever, spec.training, spec.seeds, folder)
        trainer.fit(first_pairs(materials, 16), no_validation, Silent())
        return trainer

    short = train(tmp_path / "short", memory=5)
    assert short.done.micro_batch == 4  # 16, 8, 4
    assert '"micro_batch": 4' in (tmp_path / "short" / "log.jsonl").read_text()
    planned = train(tmp_path / "planned", memory=None, training__micro_batch=4)
    expected = planned.retriever.trained_state()
    assert all(torch.equal(tensor, expected[n]) for n, tensor in short.retriever.trained_state().items())


def test_too_little_memory_for_one_pair_is_one_line(
    make_retriever: Callable[..., Any], materials: RunInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retriever, spec = make_retriever("clip4clip", **SMALL)
    monkeypatch.setattr(retriever, "text_embeds", memory_for(0, retriever.text_embeds))
    with pytest.raises(BenchError, match=r"out of memory with one pair.*activation_checkpointing") as caught:
        Trainer(retriever, spec.training, spec.seeds, tmp_path).fit(
            first_pairs(materials), no_validation, Silent()
        )
    assert "\n" not in str(caught.value)


def test_a_gradient_that_float16_cannot_hold_costs_the_step_and_lowers_the_loss_scale(
    make_retriever: Callable[..., Any], materials: RunInputs, tmp_path: Path
) -> None:
    options = {"training__precision": "float16", "training__schedule": "constant", "training__epochs": 1}
    retriever, spec = make_retriever("clip4clip", **{**SMALL, **options, "training__selection": "last"})
    trainer = Trainer(retriever, spec.training, spec.seeds, tmp_path)
    trainer.gradient.scaler.load_state_dict({**trainer.gradient.scaler.state_dict(), "scale": 2.0**60})
    before = retriever.trained_state()
    data = first_pairs(materials)
    trainer.fit(replace(data, tokens=data.tokens[:16], pairing=data.pairing[:16]), no_validation, Silent())
    assert trainer.gradient.scaler.get_scale() == 2.0**59
    after = retriever.trained_state()
    assert all(torch.equal(before[name], after[name]) for name in before)
