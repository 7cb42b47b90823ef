"""Which weights train at which rate: the optimiser in a method's groups, and the schedules of its rates."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from core.authors import Authors
from core.axes import sided
from core.encoders.half import matrices
from core.errors import BenchError, unknown_name
from core.method import Method
from core.retriever import Retriever
from core.spec import TrainingSpec
from core.training.optimizers import (
    BertAdam,
    XPoolAdamW,
    bert_warmup_cosine,
    constant,
    parameter_groups,
    warmup_cosine,
)

SCHEDULES: Mapping[str, Callable[[int, int, float], float]] = {
    "warmup-cosine": lambda step, total, warmup: warmup_cosine(step, total, int(warmup * total)),
    "bert-warmup-cosine": bert_warmup_cosine,
    "constant": constant,
}


def check_factors(method: Method, spec: TrainingSpec) -> None:
    """Raises `BenchError` for a factor of a group that the method does not have as it is configured.

    A method's recipe may name groups of parts that an ablation leaves out.
    """
    layout = method.authors or Authors()
    groups = {layout.rate_group(name) for name, _ in method.named_parameters()} - {"clip", "new"}
    recipe = cast(Mapping[str, float], sided(method.recipe).get("training.lr_factors", {}))
    for name in sorted(spec.lr_factors.keys() - groups - recipe.keys()):
        if groups:
            raise unknown_name(f"group in training.lr_factors of {method.name}", name, groups)
        raise BenchError(
            f"training.lr_factors names '{name}', and no weights of {method.name} are a group; leave it out"
        )


def build_optimizer(retriever: Retriever, spec: TrainingSpec) -> torch.optim.Optimizer:
    """The optimiser over everything that trains, in the learning-rate groups of the method."""
    method, towers = retriever.method, retriever.clip
    layout = method.authors or Authors()
    named = [(f"method.{n}", p) for n, p in method.named_parameters()] + [
        (f"clip.{n}", p) for n, p in towers.named_parameters()
    ]
    trainable = [(name, p) for name, p in named if p.requires_grad]

    def group_of(name: str) -> str:
        return "clip" if name.startswith("clip.") else layout.rate_group(name.removeprefix("method."))

    names = {group_of(name) for name, _ in trainable} - {"clip", "new"}
    check_factors(method, spec)
    factors = {name: spec.lr_new * spec.lr_factors.get(name, 1.0) for name in names}
    groups = parameter_groups(
        trainable,
        group_of,
        {"clip": spec.lr_clip, "new": spec.lr_new, **factors},
        spec.weight_decay,
        lambda name: not spec.decay_biases and "bias" in name,
    )
    if spec.clip_param_dtype == "float16":
        groups = in_half_precision(groups, matrices(towers))
    return XPoolAdamW(groups) if spec.optimizer == "adamw" else BertAdam(groups)


def in_half_precision(groups: Iterable[Mapping[str, Any]], kept: Iterable[Tensor]) -> list[dict[str, Any]]:
    """The groups with the parameters that are `kept` in float16 in groups of their own, marked `half`."""
    half = {id(parameter) for parameter in kept}
    found: list[dict[str, Any]] = []
    for group in groups:
        for mark in (False, True):
            chosen = [p for p in group["params"] if (id(p) in half) == mark]
            found += [{**group, "params": chosen, "half": mark}] * bool(chosen)
    return found
