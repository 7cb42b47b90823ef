"""One training loop for every method and mode: seeded order, validation, resume, selection.

Order of a step, as in the released code of the X-Pool family: backward, clip the global gradient
norm, optimiser, schedule, clamp the logit scale at ln 100.
"""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch
from torch import Tensor

from core.errors import BenchError
from core.paths import written_whole
from core.progress import Progress
from core.retriever import Retriever, SplitData
from core.spec import Seeds, TrainingSpec
from core.training.gradient import BatchGradient
from core.training.loading import Batch, Loader, require_batch
from core.training.randomness import RandomState
from core.training.rates import SCHEDULES, build_optimizer
from core.training.world import ONE_PROCESS, World

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


@dataclass
class Progression:
    """How far training has come; everything that a resumed run needs beside weights and moments."""

    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Optimiser steps taken."""
    micro_batch: int = 0
    """Pairs that went through the towers at a time in the last step."""
    seconds: float = 0.0
    """Wall time spent in training, validation left out."""
    wall_seconds: float = 0.0
    """Wall time of the cell until this was kept, over all its sessions."""
    looks: list[dict[str, float]] = field(default_factory=list)
    """One record per look at the selection split: epoch and R@1 in points."""
    best_epoch: int = 0
    """Epoch of the selected checkpoint."""


@dataclass
class Session:
    """The wall time of a cell, which may be interrupted and continued."""

    begun: float = field(default_factory=time.monotonic)
    """When this session began, by the monotonic clock."""
    earlier: float = 0.0
    """Seconds of the sessions before, up to what each kept last."""

    @property
    def seconds(self) -> float:
        """Wall time of all sessions."""
        return self.earlier + time.monotonic() - self.begun


def kept_in_words(folder: Path, epochs: int) -> str:
    """Where training in a run's folder goes on after an interruption, e.g. "from the start"."""
    path = folder / "resume.pt"
    if not path.exists():
        return "from the start"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        done = Progression(**state["progression"])
    except DAMAGE:
        return f"from the start, once {path}, which is damaged, is deleted"
    return f"after {done.step:,} steps, {done.epoch} of {epochs} epochs finished"


@dataclass
class Lap:
    """Seconds since it was started."""

    begun: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self.begun

    def restart(self) -> float:
        """The seconds so far; begins anew."""
        seconds = self.seconds
        self.begun += seconds
        return seconds


class Trainer:
    """Trains a retriever in a run's folder; interrupted at any moment it continues where it was."""

    def __init__(
        self,
        retriever: Retriever,
        spec: TrainingSpec,
        seeds: Seeds,
        folder: Path,
        world: World = ONE_PROCESS,
        session: Session | None = None,
    ) -> None:
        self.retriever = retriever
        self.spec = spec
        self.seeds = seeds
        self.folder = folder
        self.world = world
        self.session = session or Session()
        self.optimizer = build_optimizer(retriever, spec)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.generator = torch.Generator(retriever.device).manual_seed(seeds.noise)
        self.gradient = BatchGradient(retriever, spec, self.generator, world)
        self.done = Progression()
        self.selected = retriever.trained_state()

    def fit(self, data: SplitData | None, validate: Callable[[], float], progress: Progress) -> Progression:
        """Trains to the last epoch and leaves the selected weights in the retriever; without one, nothing.

        `validate` returns R@1 in points on the split that selects; it is not called for `last`, and only
        in the process that leads. So the selected weights are known, and left behind, in that one alone.
        """
        torch.manual_seed(self.seeds.noise)
        self.resume()
        self.world.wait()  # the leader of a run that was killed in scoring removes the state at once
        if data is None or not self.spec.epochs:
            self.log().close()
            return self.done
        loader = Loader(self.retriever, data, self.spec, self.seeds, self.world)
        steps = len(loader.batches(0))
        if steps == 0 and self.spec.epochs:
            require_batch(len(loader.order(0)), self.spec, self.world.size)
        total = steps * self.spec.epochs
        with progress.task("train", total) as advance, self.log() as log:
            advance(self.done.step, "")
            for epoch in range(self.done.epoch, self.spec.epochs):
                watch = Lap()
                for batch in loader.epoch(epoch, taken=self.done.step - epoch * steps):
                    record = self.step(batch.to(self.retriever.device), total)
                    log.write(json.dumps(record) + "\n")
                    if self.world.leads and watch.seconds >= 60 * self.spec.save_minutes:
                        self.done.seconds += watch.restart()
                        self.save(log)
                    advance(1, f"loss {record['loss']:.3f}")
                self.done.seconds += watch.restart()
                self.done.epoch = epoch + 1
                if self.world.leads:
                    self.select(validate, advance)
                    self.write_looks()
                    self.save(log)
        self.retriever.load_trained_state(self.selected)
        return self.done

    def log(self) -> IO[str]:
        """Where the record of each step goes: a file of the process that leads."""
        return Path(self.folder / "log.jsonl" if self.world.leads else os.devnull).open("a", encoding="utf-8")

    def step(self, batch: Batch, total: int) -> dict[str, Any]:
        """One optimiser step; returns its log record."""
        self.retriever.train()
        factor = SCHEDULES[self.spec.schedule](self.done.step, total, self.spec.warmup)
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        losses = self.gradient(batch)
        norm = self.clipped_norm(losses.total)
        self.gradient.scaler.step(self.optimizer)  # leaves the step out where float16 overflowed
        self.gradient.scaler.update()
        scale = self.retriever.method.logit_scale
        with torch.no_grad():
            scale.clamp_(max=MAX_LOGIT_SCALE)
        self.done.step += 1
        self.done.micro_batch = self.gradient.micro_batch
        terms = {name: value.item() for name, value in losses.terms.items()}
        return {
            "step": self.done.step,
            "loss": losses.total.item(),
            **terms,
            "gradient_norm": norm,
            "rate_factor": factor,
            "logit_scale": scale.exp().item(),
            "micro_batch": self.done.micro_batch,
        }

    def clipped_norm(self, loss: Tensor) -> float:
        """Clips the gradient; returns its global norm before that.

        Raises `BenchError` where it is not finite, except that float16 may first lower its loss scale.
        """
        scaler = self.gradient.scaler
        scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.spec.gradient_clip).item()
        if not math.isfinite(norm) and not (scaler.is_enabled() and scaler.get_scale() > 1):
            raise BenchError(
                f"{self.folder.name}: the gradient is {norm} at step {self.done.step} "
                f"(loss {loss.item()}); lower training.lr_new or training.lr_clip"
            )
        return norm

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
        before = RandomState.of(self.generator)
        score = validate()
        before.restore(self.generator)  # what scoring draws must not reach training
        best = max((look["recall_at_1"] for look in self.done.looks), default=-math.inf)
        self.done.looks.append({"epoch": epoch, "recall_at_1": score})
        advance(0, f"{self.spec.selection.removesuffix('-best')} R@1 {score:.1f}")
        if score > best:
            self.selected, self.done.best_epoch = self.retriever.trained_state(), epoch

    def write_looks(self) -> None:
        """Writes epochs.jsonl: a line per look at the selection split."""
        lines = "".join(json.dumps(look) + "\n" for look in self.done.looks)
        with written_whole(self.folder / "epochs.jsonl") as temporary:
            temporary.write_text(lines, encoding="utf-8")

    def save(self, log: IO[str]) -> None:
        """Writes all that the next step depends on, whole or not at all, once the log is on the disk."""
        log.flush()
        os.fsync(log.fileno())
        self.done.wall_seconds = self.session.seconds
        state = {
            "progression": vars(self.done),
            "weights": self.retriever.trained_state(),
            "selected": self.selected,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.gradient.scaler.state_dict(),
            "random": vars(RandomState.of(self.generator)),
        }
        with written_whole(self.folder / "resume.pt") as temporary:  # its space was seen to before
            torch.save(state, temporary)

    def resume(self) -> None:
        """Continues from resume.pt where there is one; raises `BenchError` where it is damaged."""
        path = self.folder / "resume.pt"
        log = self.folder / "log.jsonl"
        if not path.exists():
            if self.world.leads:
                log.unlink(missing_ok=True)
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.done = Progression(**state["progression"])
            self.session.earlier = self.done.wall_seconds
            self.retriever.load_trained_state(state["weights"])
            self.selected = state["selected"]
            self.optimizer.load_state_dict(state["optimizer"])
            self.gradient.scaler.load_state_dict(state["scaler"])
            RandomState(**state["random"]).restore(self.generator)
        except DAMAGE as error:
            raise BenchError(
                f"{path} is damaged ({type(error).__name__}); delete it to train this cell from the start"
            ) from error
        self.gradient.micro_batch = self.done.micro_batch
        if not self.world.leads:
            return
        kept = log.read_text(encoding="utf-8").splitlines()[: self.done.step] if log.exists() else []
        if len(kept) < self.done.step:
            raise BenchError(
                f"{log} holds {len(kept)} of the {self.done.step} steps before {path.name}; "
                f"delete {path.name} to train this cell from the start"
            )
        with written_whole(log) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
