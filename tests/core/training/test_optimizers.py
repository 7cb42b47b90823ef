"""Both optimisers against recorded traces and float64 loops, their schedules, and parameter groups."""

import copy
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import get_cosine_schedule_with_warmup

from core.errors import BenchError
from core.training.optimizers import (
    BertAdam,
    MomentOptimizer,
    XPoolAdamW,
    bert_warmup_cosine,
    constant,
    parameter_groups,
    warmup_cosine,
)
from methods.parity import check_file

GOLDEN = Path(__file__).parents[2] / "golden"
OPTIMIZERS: list[Callable[..., MomentOptimizer]] = [XPoolAdamW, BertAdam]


def gradients(steps: int, *shape: int) -> Tensor:
    return torch.randn(steps, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def run(optimizer: MomentOptimizer, parameter: nn.Parameter, trace: Tensor) -> None:
    for gradient in trace:
        parameter.grad = gradient.clone()
        optimizer.step()


@pytest.mark.parametrize(
    "file", ["optim_adamw_xpool_tmass", "gaid_optim", "optim_bertadam_clip4clip", "avigate_optim"]
)
def test_recorded_traces_are_reproduced(file: str) -> None:
    row = check_file(GOLDEN / f"{file}.safetensors")
    assert row.verdict == "agrees", row.message


def test_adamw_follows_its_formula_number_by_number() -> None:
    trace, (lr, b1, b2, eps, decay) = gradients(6, 3), (0.01, 0.8, 0.95, 1e-3, 0.2)
    p, m, v = [1.0, -2.0, 0.5], [0.0] * 3, [0.0] * 3
    for n, gradient in enumerate(trace.tolist(), start=1):
        for i, g in enumerate(gradient):
            m[i] = b1 * m[i] + (1 - b1) * g
            v[i] = b2 * v[i] + (1 - b2) * g * g
            p[i] -= lr * math.sqrt(1 - b2**n) / (1 - b1**n) * m[i] / (math.sqrt(v[i]) + eps)
            p[i] -= lr * decay * p[i]
    parameter = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    run(XPoolAdamW([parameter], lr, (b1, b2), eps, decay), parameter, trace)
    assert parameter.tolist() == pytest.approx(p, rel=1e-12)


def test_adamw_without_epsilon_and_decay_is_adam() -> None:
    trace = gradients(5, 4)
    ours, theirs = (nn.Parameter(torch.ones(4, dtype=torch.float64)) for _ in range(2))
    run(XPoolAdamW([ours], 0.1, eps=0.0, weight_decay=0.0), ours, trace)
    adam = torch.optim.Adam([theirs], 0.1, eps=0.0)
    for gradient in trace:
        theirs.grad = gradient
        adam.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)


def test_bertadam_follows_its_formula_number_by_number() -> None:
    trace, (lr, b1, b2, eps, decay) = gradients(6, 3) * 3, (0.01, 0.9, 0.98, 1e-3, 0.2)
    p, m, v = [1.0, -2.0, 0.5], [0.0] * 3, [0.0] * 3
    for gradient in trace.tolist():
        norm = math.sqrt(sum(g * g for g in gradient))
        for i, g in enumerate(gradient):
            g *= min(1.0, 1.0 / (norm + 1e-6))
            m[i] = b1 * m[i] + (1 - b1) * g
            v[i] = b2 * v[i] + (1 - b2) * g * g
            p[i] -= lr * (m[i] / (math.sqrt(v[i]) + eps) + decay * p[i])
    parameter = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    run(BertAdam([parameter], lr, (b1, b2), eps, decay), parameter, trace)
    assert parameter.tolist() == pytest.approx(p, rel=1e-12)


def test_bertadam_clips_as_torch_does_and_leaves_the_gradient_alone() -> None:
    trace = gradients(4, 5) * 10
    clipped = trace.clone()
    for gradient in clipped:
        holder = nn.Parameter(torch.zeros(5, dtype=torch.float64))
        holder.grad = gradient
        nn.utils.clip_grad_norm_(holder, 1.0)
    inside, outside = (nn.Parameter(torch.ones(5, dtype=torch.float64)) for _ in range(2))
    run(BertAdam([inside]), inside, trace)
    run(BertAdam([outside], max_grad_norm=0.0), outside, clipped)
    torch.testing.assert_close(inside, outside, rtol=1e-12, atol=0)
    assert inside.grad is not None
    assert torch.equal(inside.grad, trace[-1])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_parameter_without_gradient_neither_moves_nor_ages(
    optimizer: Callable[..., MomentOptimizer],
) -> None:
    still, alone, moving = (nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(3))
    together, single = optimizer([still, moving], lr=0.1), optimizer([alone], lr=0.1)
    trace = gradients(4, 3)
    run(together, moving, trace[:2])
    assert torch.equal(still, torch.ones(3, dtype=torch.float64))
    for gradient in trace[2:]:
        still.grad, moving.grad, alone.grad = gradient, gradient, gradient
        together.step()
        single.step()
    assert torch.equal(still, alone)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_saved_state_continues_bit_for_bit(optimizer: Callable[..., MomentOptimizer]) -> None:
    trace = gradients(6, 3).float()
    whole = nn.Parameter(torch.ones(3))
    run(optimizer([whole], lr=0.1), whole, trace)
    first = nn.Parameter(torch.ones(3))
    before = optimizer([first], lr=0.1)
    run(before, first, trace[:3])
    second = nn.Parameter(first.detach().clone())
    after = optimizer([second], lr=0.5)
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    run(after, second, trace[3:])
    assert torch.equal(second, whole)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_closure_is_run_with_gradients_and_its_loss_returned(
    optimizer: Callable[..., MomentOptimizer],
) -> None:
    parameter = nn.Parameter(torch.ones(2))

    def closure() -> float:
        loss = parameter.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer([parameter], lr=0.1).step(closure) == 2.0
    assert bool((parameter < 1).all())


@pytest.mark.parametrize(("total", "warmup"), [(20, 2), (7, 0), (5, 5)])
def test_warmup_cosine_equals_transformers(total: int, warmup: int) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_cosine_schedule_with_warmup(optimizer, warmup, total)
    for step in range(total + 1):
        assert warmup_cosine(step, total, warmup) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_berts_cosine_is_not_rebased_and_falls_after_the_warmup() -> None:
    factors = [bert_warmup_cosine(step, 100, 0.1) for step in range(101)]
    assert factors[0] == 0
    assert factors[9] == pytest.approx(0.9)
    assert factors[10] == pytest.approx(0.9755, abs=1e-4)
    assert factors[50] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0, abs=1e-12)
    assert bert_warmup_cosine(0, 10, 0.0) == 1


def test_the_constant_schedule_never_changes() -> None:
    assert {constant(step, 10, 0.1) for step in range(10)} == {1.0}


def test_parameters_are_grouped_by_rate_and_decay() -> None:
    model = nn.ModuleDict({"clip": nn.Linear(2, 2), "head": nn.Linear(2, 2), "frozen": nn.Linear(2, 2)})
    model["frozen"].requires_grad_(False)
    groups = parameter_groups(
        model.named_parameters(),
        lambda name: "clip" if name.startswith("clip.") else "new",
        {"clip": 1e-6, "new": 1e-4},
        0.2,
        lambda name: "bias" in name,
    )
    assert [(g["name"], g["lr"], g["weight_decay"]) for g in groups] == [
        ("clip", 1e-6, 0.2),
        ("clip", 1e-6, 0.0),
        ("new", 1e-4, 0.2),
        ("new", 1e-4, 0.0),
    ]
    clip, head = model["clip"], model["head"]
    members = [clip.weight, clip.bias, head.weight, head.bias]
    assert all(group["params"][0] is member for group, member in zip(groups, members, strict=True))
    BertAdam(groups)


def test_a_group_without_a_rate_is_refused_by_name() -> None:
    with pytest.raises(BenchError, match="unknown learning-rate group 'nwe'; did you mean 'new'"):
        parameter_groups(
            [("w", nn.Parameter(torch.ones(1)))], lambda _: "nwe", {"new": 1.0}, 0.0, lambda _: False
        )
