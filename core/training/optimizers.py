"""The two optimisers of the released code, their schedules, and how parameters are grouped.

Both differ from torch's AdamW in ways that change results: where epsilon stands, whether the moments are
corrected for their start at zero, and from which value of a parameter its decay is taken. The order of the
elementwise operations is the released one too, because half-precision parameters round after each of them.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from core.errors import unknown_name

NUMBERS_AT_ONCE = 2**19
"""Numbers that a CPU updates at a time, so that they stay in its cache from one operation to the next. A GPU
updates all at once."""


def blocks_of(parameters: list[Tensor]) -> list[list[Tensor]]:
    """Consecutive parameters of about `NUMBERS_AT_ONCE` numbers together on a CPU, all of them on a GPU."""
    if parameters[0].device.type != "cpu":
        return [parameters]
    blocks: list[list[Tensor]] = [[]]
    size = 0
    for parameter in parameters:
        if size >= NUMBERS_AT_ONCE:
            blocks.append([])
            size = 0
        blocks[-1].append(parameter)
        size += parameter.numel()
    return blocks


class Workspace:
    """Memory for what an update computes on its way, kept from block to block and from step to step.

    A CPU that takes it anew from the system pays more for its pages than for the arithmetic on them; a GPU
    keeps its memory by itself, and needs it for other things between two steps.
    """

    def __init__(self) -> None:
        self.kept: dict[tuple[str, torch.dtype], Tensor] = {}

    def copies(self, name: str, tensors: list[Tensor]) -> list[Tensor]:
        """Copies of tensors, valid until the same name is asked for again."""
        copies = self.memory(name, tensors)
        torch._foreach_copy_(copies, tensors)
        return copies

    def memory(self, name: str, tensors: list[Tensor]) -> list[Tensor]:
        """Tensors of the same shapes and unknown content: kept ones on a CPU, new ones on a GPU."""
        if tensors[0].device.type != "cpu":
            return [torch.empty_like(tensor) for tensor in tensors]
        key = name, tensors[0].dtype
        sizes = [tensor.numel() for tensor in tensors]
        if key not in self.kept or len(self.kept[key]) < sum(sizes):
            self.kept[key] = torch.empty(sum(sizes), dtype=tensors[0].dtype)
        pieces = self.kept[key][: sum(sizes)].split(sizes)
        return [piece.view_as(tensor) for piece, tensor in zip(pieces, tensors, strict=True)]


def scaled(tensors: list[Tensor], factor: float) -> list[Tensor]:
    """Tensors times a factor: in place, but for half precision, where a CPU would round the factor too."""
    if any(tensor.dtype != torch.float32 for tensor in tensors):
        return list(torch._foreach_mul(tensors, factor))
    torch._foreach_mul_(tensors, factor)
    return tensors


class MomentOptimizer(Optimizer):
    """What both share: two running moments per parameter, and a step that visits the groups.

    Groups may set their own `lr` and `weight_decay`, and `half` for parameters that a step takes in float16
    although arithmetic sees them in float32; the state can be saved and loaded at any step.
    """

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], defaults: dict[str, Any]) -> None:
        super().__init__(params, defaults)
        self.workspace = Workspace()

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Updates every parameter that has a gradient; returns what `closure` returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            halved = [p for p in group["params"] if group.get("half") and p.grad is not None]
            for parameter in halved:
                self.cast(parameter, torch.float16)
            by_step: dict[int, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    first, second = torch.zeros_like(parameter), torch.zeros_like(parameter)
                    state.update(step=0, first_moment=first, second_moment=second)
                state["step"] += 1
                by_step.setdefault(state["step"], []).append(parameter)
            for step, parameters in by_step.items():
                for block in blocks_of(parameters):
                    self.update(block, group, step)
            for parameter in halved:
                self.cast(parameter, torch.float32)
        return loss

    def cast(self, parameter: Tensor, dtype: torch.dtype) -> None:
        """Puts a parameter and its gradient into a precision; float16 its moments, too, which stay there."""
        gradient, parameter.grad = parameter.grad, None
        parameter.data = parameter.data.to(dtype)
        parameter.grad = None if gradient is None else gradient.to(dtype)
        for name, value in self.state[parameter].items():
            if dtype == torch.float16 and name != "step":
                self.state[parameter][name] = value.to(dtype)  # loading a state puts them into float32

    @abstractmethod
    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        """Moves parameters of one group, all of them at their `step`-th step (from 1)."""

    def direction(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> list[Tensor]:
        """Brings the moments m and v up to date and returns `m / (sqrt(v) + eps)`, without correction."""
        beta1, beta2 = group["betas"]
        first = scaled([self.state[p]["first_moment"] for p in parameters], beta1)
        second = scaled([self.state[p]["second_moment"] for p in parameters], beta2)
        torch._foreach_add_(first, gradients, alpha=1 - beta1)
        torch._foreach_addcmul_(second, gradients, gradients, value=1 - beta2)
        for parameter, m, v in zip(parameters, first, second, strict=True):
            self.state[parameter].update(first_moment=m, second_moment=v)
        denominators = self.workspace.copies("denominators", second)
        torch._foreach_sqrt_(denominators)
        torch._foreach_add_(denominators, group["eps"])
        directions = self.workspace.copies("directions", first)
        torch._foreach_div_(directions, denominators)
        return directions


class XPoolAdamW(MomentOptimizer):
    """AdamW of X-Pool, T-MASS and GAID: `p -= lr c m / (sqrt(v) + eps)`, then `p -= lr wd p`.

    `c = sqrt(1 - beta2^n) / (1 - beta1^n)` corrects the step size, not the moments, so epsilon weighs more
    in early steps than in Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019,
    algorithm 2; and the decay is taken from the parameter after its step, not before.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.2,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        """See `MomentOptimizer.update`."""
        beta1, beta2 = group["betas"]
        rate = group["lr"]
        corrected = rate * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        gradients = [p.grad for p in parameters if p.grad is not None]
        torch._foreach_add_(parameters, self.direction(parameters, gradients, group), alpha=-corrected)
        torch._foreach_add_(parameters, parameters, alpha=-rate * group["weight_decay"])


class BertAdam(MomentOptimizer):
    """Adam of CLIP4Clip and AVIGATE: `p -= lr (m / (sqrt(v) + eps) + wd p)`, moments uncorrected.

    Each tensor's gradient is scaled to a norm of at most `max_grad_norm` first, on top of whatever the
    training loop clips; 0 turns that off. The moments start at zero and are never corrected (Devlin et al.,
    "BERT", 2019, released code), and the decay is taken from the parameter before its step.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-6,
        weight_decay: float = 0.2,
        max_grad_norm: float = 1.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "max_grad_norm": max_grad_norm,
        }
        super().__init__(params, defaults)

    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        """See `MomentOptimizer.update`."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if group["max_grad_norm"] > 0:
            norms = torch._foreach_norm(gradients)
            # 1e-6 as in torch's own clipping; it keeps a zero gradient zero.
            scales = [(group["max_grad_norm"] / (norm + 1e-6)).clamp(max=1) for norm in norms]
            gradients = self.workspace.copies("gradients", gradients)
            torch._foreach_mul_(gradients, scales)
        steps = self.direction(parameters, gradients, group)
        decays = scaled(self.workspace.copies("decays", parameters), group["weight_decay"])
        torch._foreach_add_(steps, decays)
        torch._foreach_sub_(parameters, scaled(steps, group["lr"]))


def warmup_cosine(step: int, total: int, warmup: int) -> float:
    """X-Pool's factor: linear from 0 over `warmup` steps, then half a cosine from 1 to 0 at `total`."""
    if step < warmup:
        return step / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))


def bert_warmup_cosine(step: int, total: int, warmup_fraction: float) -> float:
    """CLIP4Clip's factor: linear from 0, then the cosine of the whole run's progress.

    The cosine is not re-based to the end of the warm-up: after 10 % the factor falls from 1 to 0.976.
    """
    progress = step / total
    if progress < warmup_fraction:
        return progress / warmup_fraction
    return 0.5 * (1 + math.cos(math.pi * progress))


def constant(step: int, total: int, warmup: float) -> float:
    """1 at every step, with the arguments of the other schedules."""
    return 1.0


def parameter_groups(
    named_parameters: Iterable[tuple[str, nn.Parameter]],
    group_of: Callable[[str], str],
    rates: Mapping[str, float],
    weight_decay: float,
    decay_exempt: Callable[[str], bool],
) -> list[dict[str, Any]]:
    """Optimiser groups: one per learning-rate group and, within it, with and without weight decay.

    `group_of` maps a parameter's name to a key of `rates`; `decay_exempt` says which names do not decay.
    Parameters that do not train are left out; groups and parameters keep the order of first appearance.
    Each group holds `params`, `lr`, `weight_decay`, and its key as `name`. Raises `BenchError` for a group
    without a rate.
    """
    groups: dict[tuple[str, bool], dict[str, Any]] = {}
    for name, parameter in named_parameters:
        if not parameter.requires_grad:
            continue
        key, exempt = group_of(name), decay_exempt(name)
        if key not in rates:
            raise unknown_name("learning-rate group", key, rates)
        decay = 0.0 if exempt else weight_decay
        fresh = {"params": [], "lr": rates[key], "weight_decay": decay, "name": key}
        groups.setdefault((key, exempt), fresh)["params"].append(parameter)
    return list(groups.values())
