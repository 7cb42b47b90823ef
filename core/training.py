"""One training loop for every method and mode: seeded order, validation, resume, selection.

Order of a step, as in the released code of the X-Pool family: backward, clip the global gradient
norm, optimiser, schedule, clamp the logit scale at ln 100.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from torch import Tensor

from core.batch import first_captions
from core.errors import BenchError
from core.optimizers import (
    BertAdam,
    XPoolAdamW,
    bert_warmup_cosine,
    constant,
    parameter_groups,
    warmup_cosine,
)
from core.paths import written_whole
from core.progress import Progress
from core.retriever import Retriever, SplitData
from core.spec import Seeds, TrainingSpec

MAX_LOGIT_SCALE = math.log(100)
"""CLIP's cap on the stored logarithm (Radford et al., ICML 2021, section 2.5)."""

DAMAGE = (
    OSError,
    RuntimeError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    EOFError,
    UnpicklingError,
)
"""What reading a truncated or overwritten state raises, found by overwriting bytes at random."""

SCHEDULES: Mapping[str, Callable[[int, int, float], float]] = {
    "warmup-cosine": lambda step, total, warmup: warmup_cosine(step, total, int(warmup * total)),
    "bert-warmup-cosine": bert_warmup_cosine,
    "constant": constant,
}


@dataclass
class Progression:
    """How far training has come; everything that a resumed run needs beside weights and moments."""

    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Optimiser steps taken."""
    seconds: float = 0.0
    """Wall time spent in training, validation left out."""
    looks: list[dict[str, float]] = field(default_factory=list)
    """One record per look at the selection split: epoch and R@1 in points."""
    best_epoch: int = 0
    """Epoch of the selected checkpoint."""


def data_order(pairing: Tensor, captions: Literal["every", "one"], seed: int, epoch: int) -> Tensor:
    """The captions that an epoch visits, in order; a function of the data seed and nothing else.

    `pairing` `(N,)` int64 is the video of each caption. `one` keeps the first caption of each video in a
    random order of all of them: a uniform choice.
    """
    order = torch.randperm(len(pairing), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
    return order[first_captions(pairing[order])] if captions == "one" else order


def batches_of(order: Tensor, batch_size: int, drop_last: bool) -> list[Tensor]:
    """Consecutive batches; a last batch of one pair has no negatives and is left out."""
    return [b for b in order.split(batch_size) if len(b) == batch_size or (not drop_last and len(b) > 1)]


def build_optimizer(retriever: Retriever, spec: TrainingSpec) -> torch.optim.Optimizer:
    """The optimiser over everything that trains, in the learning-rate groups of the method."""
    method, towers = retriever.method, retriever.clip
    named = [(f"method.{n}", p) for n, p in method.named_parameters()] + [
        (f"clip.{n}", p) for n, p in towers.named_parameters()
    ]
    trainable = [(name, p) for name, p in named if p.requires_grad]

    def group_of(name: str) -> str:
        return "clip" if name.startswith("clip.") else method.rate_group(name.removeprefix("method."))

    names = {group_of(name) for name, _ in trainable} - {"clip", "new"}
    factors = {name: spec.lr_new * spec.lr_factors.get(name, 1.0) for name in names}
    groups = parameter_groups(
        trainable,
        group_of,
        {"clip": spec.lr_clip, "new": spec.lr_new, **factors},
        spec.weight_decay,
        lambda name: not spec.decay_biases and "bias" in name,
    )
    return XPoolAdamW(groups) if spec.optimizer == "adamw" else BertAdam(groups)


class Trainer:
    """Trains a retriever in a run's folder; interrupted at any moment it continues where it was."""

    def __init__(self, retriever: Retriever, spec: TrainingSpec, seeds: Seeds, folder: Path) -> None:
        self.retriever = retriever
        self.spec = spec
        self.seeds = seeds
        self.folder = folder
        self.optimizer = build_optimizer(retriever, spec)
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.generator = torch.Generator(retriever.device).manual_seed(seeds.noise)
        self.done = Progression()
        self.selected = retriever.trained_state()

    def fit(self, data: SplitData, validate: Callable[[], float], progress: Progress) -> Progression:
        """Trains to the last epoch and leaves the selected weights in the retriever.

        `validate` returns R@1 in points on the split that selects; it is not called for `last`.
        """
        torch.manual_seed(self.seeds.noise)
        self.resume()
        steps = len(self.epoch_batches(data, 0))
        if steps == 0 and self.spec.epochs:
            raise BenchError(
                f"training has {len(data.tokens)} pairs, fewer than one batch of {self.spec.batch_size}; "
                "lower training.batch_size"
            )
        total = steps * self.spec.epochs
        with progress.task("train", total) as advance, (self.folder / "log.jsonl").open("a") as log:
            advance(self.done.step, "")
            for epoch in range(self.done.epoch, self.spec.epochs):
                started = time.perf_counter()
                for batch in self.epoch_batches(data, epoch):
                    record = self.step(data, batch, total)
                    log.write(json.dumps(record) + "\n")
                    advance(1, f"loss {record['loss']:.3f}")
                self.done.seconds += time.perf_counter() - started
                self.done.epoch = epoch + 1
                self.select(validate, advance)
                log.flush()
                self.save()
        self.retriever.load_trained_state(self.selected)
        return self.done

    def epoch_batches(self, data: SplitData, epoch: int) -> list[Tensor]:
        """The batches of an epoch, each the positions `(B,)` of its captions."""
        order = data_order(data.pairing, self.spec.captions, self.seeds.data, epoch)
        return batches_of(order, self.spec.batch_size, self.spec.drop_last)

    def step(self, data: SplitData, batch: Tensor, total: int) -> dict[str, Any]:
        """One optimiser step on pairs `(B,)`; returns its log record."""
        self.retriever.train()
        factor = SCHEDULES[self.spec.schedule](self.done.step, total, self.spec.warmup)
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        texts = self.retriever.texts(data.tokens[batch], data.text_keys[batch])
        videos = self.retriever.videos(data.rows[data.pairing[batch]])
        losses = self.retriever.method.loss(texts, videos, self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.spec.gradient_clip)
        if not torch.isfinite(norm):
            raise BenchError(
                f"{self.folder.name}: the gradient is {norm.item()} at step {self.done.step} "
                f"(loss {losses.total.item()}); lower training.lr_new or training.lr_clip"
            )
        self.optimizer.step()
        scale = self.retriever.method.logit_scale
        with torch.no_grad():
            scale.clamp_(max=MAX_LOGIT_SCALE)
        self.done.step += 1
        terms = {name: value.item() for name, value in losses.terms.items()}
        return {
            "step": self.done.step,
            "loss": losses.total.item(),
            **terms,
            "gradient_norm": norm.item(),
            "rate_factor": factor,
            "logit_scale": scale.exp().item(),
        }

    def select(self, validate: Callable[[], float], advance: Callable[[int, str], None]) -> None:
        """Keeps the weights of the epoch that the selection rule prefers; the first of equals wins."""
        epoch = self.done.epoch
        last = epoch == self.spec.epochs
        if self.spec.selection == "last":
            if last:
                self.selected, self.done.best_epoch = self.retriever.trained_state(), epoch
            return
        if epoch % self.spec.validate_every and not last:
            return
        score = validate()
        best = max((look["recall_at_1"] for look in self.done.looks), default=-math.inf)
        self.done.looks.append({"epoch": epoch, "recall_at_1": score})
        advance(0, f"{self.spec.selection.removesuffix('-best')} R@1 {score:.1f}")
        if score > best:
            self.selected, self.done.best_epoch = self.retriever.trained_state(), epoch

    def save(self) -> None:
        """Writes everything that the next epoch depends on, whole or not at all."""
        state = {
            "progression": vars(self.done),
            "weights": self.retriever.trained_state(),
            "selected": self.selected,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
        }
        with written_whole(self.folder / "resume.pt") as temporary:
            torch.save(state, temporary)

    def resume(self) -> None:
        """Continues from resume.pt where there is one; raises `BenchError` where it is damaged."""
        path = self.folder / "resume.pt"
        log = self.folder / "log.jsonl"
        if not path.exists():
            log.unlink(missing_ok=True)
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.done = Progression(**state["progression"])
            self.retriever.load_trained_state(state["weights"])
            self.selected = state["selected"]
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
            torch.set_rng_state(state["random"])
        except DAMAGE as error:
            raise BenchError(
                f"{path} is damaged ({type(error).__name__}); delete it to train this cell from the start"
            ) from error
        kept = log.read_text(encoding="utf-8").splitlines()[: self.done.step] if log.exists() else []
        with written_whole(log) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
