"""The gradient of a contrastive batch: whole, however little memory or however many processes there are.

A contrastive loss needs every pair of the batch at once, so micro-batches with a loss each would train
on fewer negatives. Here the towers encode in micro-batches whose activations are dropped and computed
again in the backward pass, while the loss sees the whole batch: gradient caching (Gao et al., "Scaling
deep contrastive learning batch size under memory limited setup", RepL4NLP 2021, arXiv 2101.06983), done
by torch's checkpointing, which also repeats the random state. The towers may run in half precision; the
weights, the method and the loss stay in float32.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.utils.checkpoint import checkpoint

from core.batch import Rows
from core.errors import BenchError
from core.method import Losses, check_losses
from core.plugin_errors import calling
from core.retriever import Retriever, worded
from core.spec import TrainingSpec
from core.training.loading import Batch
from core.training.randomness import RandomState
from core.training.world import ONE_PROCESS, World

Returned = TypeVar("Returned")


def in_micro_batches(encode: Callable[..., Tensor], inputs: tuple[Tensor, ...], size: int) -> Tensor:
    """`encode(*inputs)`, `size` rows at a time; the backward pass holds one block's activations at a time."""
    if size >= len(inputs[0]):
        return encode(*inputs)
    blocks = zip(*(tensor.split(size) for tensor in inputs), strict=True)
    return torch.cat([checkpoint(encode, *block, use_reentrant=False) for block in blocks])


def combine_gradients(
    parameters: Iterable[tuple[str, nn.Parameter]], world: World, backward: Literal["exact", "released"]
) -> None:
    """Makes the processes' gradients one and the same, the whole batch's.

    Names beginning with `clip.` are the towers', whose gradient in each process comes from its own pairs
    alone: their sum is `exact`. All others saw the whole batch everywhere, and the mean keeps rounding from
    driving the processes apart. `released`: CLIP4Clip and AVIGATE divide all by the number of processes
    but the logit scale, since their gather hands back its own slice and DDP averages.
    """
    if world.size == 1:
        return
    for name, parameter in parameters:
        if parameter.grad is None:
            continue
        world.add_up(parameter.grad)
        if not name.startswith("clip."):
            parameter.grad /= world.size
        if backward == "released" and name != "method.logit_scale":
            parameter.grad /= world.size


@dataclass(frozen=True)
class EncodedPairs(Rows):
    """What the towers made of matched pairs."""

    texts: Tensor
    """What `Retriever.text_embeds` gives."""
    frames: Tensor | None = None
    """What `Retriever.frame_embeds` gives; None where the pictures are cached."""
    speech: Tensor | None = None
    """`(B, Ls, D)`; None where there is none to read or its states are cached."""


class BatchGradient:
    """Computes gradients of batches; where memory runs out, in smaller micro-batches from then on."""

    def __init__(
        self, retriever: Retriever, spec: TrainingSpec, generator: torch.Generator, world: World = ONE_PROCESS
    ) -> None:
        self.retriever = retriever
        self.spec = spec
        self.generator = generator
        self.world = world
        self.micro_batch = spec.micro_batch or -(-spec.batch_size // world.size)
        """Pairs of this process that go through the towers at a time."""
        self.dtype = getattr(torch, spec.precision)
        # Only float16 has too little range for the gradients of the towers' activations.
        self.scaler = GradScaler(retriever.device.type, enabled=spec.precision == "float16")

    def __call__(self, batch: Batch) -> Losses:
        """Leaves the batch's gradient, scaled by `scaler`, in the parameters.

        Raises `BenchError` where memory does not suffice for one pair at a time.
        """
        before = RandomState.of(self.generator)
        while True:
            self.retriever.zero_grad(set_to_none=True)
            losses = self.attempt(batch)
            if losses is not None:
                trained = [(n, p) for n, p in self.retriever.named_parameters() if p.requires_grad]
                combine_gradients(trained, self.world, self.spec.gathered_gradient)
                return losses
            self.halve(len(batch.tokens[batch.part]))
            before.restore(self.generator)

    def attempt(self, batch: Batch) -> Losses | None:
        """Forward and backward pass; None where any process runs out of memory."""
        embeds = self.fitting(partial(self.encode, batch))
        if embeds is None:
            return None
        whole = embeds.map(lambda own: self.gathered(own, batch))
        return self.fitting(partial(self.backward, batch, whole))

    def encode(self, batch: Batch) -> EncodedPairs:
        """What the towers make of this process's part of a batch."""
        towers, part = self.retriever, batch.part
        if batch.text_embeds is not None:
            return EncodedPairs(batch.text_embeds[part])  # neither tower trains
        half, frames, speech = self.dtype != torch.float32, None, None
        with torch.autocast(towers.device.type, self.dtype, enabled=half):
            texts = in_micro_batches(towers.text_embeds, (batch.tokens[part],), self.micro_batch)
            if batch.pixels is not None:
                pictures = (batch.pixels, batch.videos.frame_mask[part])
                frames = in_micro_batches(towers.frame_embeds, pictures, self.micro_batch)
            if batch.speech is not None:
                speech = in_micro_batches(towers.speech_states, (batch.speech[part],), self.micro_batch)
        return EncodedPairs(texts, frames, speech)

    def gathered(self, own: Tensor, batch: Batch) -> Tensor:
        """Embeddings `(B, ...)` of the whole batch in the method's precision."""
        return self.world.gathered(own.to(self.retriever.method.logit_scale.dtype), len(batch.tokens))

    def backward(self, batch: Batch, encoded: EncodedPairs) -> Losses:
        """The whole batch's loss and its gradient."""
        videos = batch.videos
        if encoded.frames is not None:
            videos = self.retriever.pictured(videos, encoded.frames)
        if encoded.speech is not None:
            videos = replace(videos, speech=encoded.speech)
        texts = worded(encoded.texts, batch.tokens, batch.text_keys)
        method = self.retriever.method
        with calling(method, "loss"):
            losses = check_losses(method, method.loss(texts, videos, self.generator))
            scaled = self.scaler.scale(losses.total)
        with calling(method, "the gradient of its loss"):
            torch.autograd.backward(scaled)
        return losses

    def fitting(self, work: Callable[[], Returned]) -> Returned | None:
        """What `work` returns; None in every process where any has too little memory for it."""
        try:
            result = work()
        except torch.OutOfMemoryError:
            result = None
        return None if self.world.any(result is None) else result

    def halve(self, pairs: int) -> None:
        """Halves the micro-batch after memory ran out for a part of so many pairs."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        size = min(self.micro_batch, pairs)
        if size == 1:
            raise BenchError(
                "out of memory with one pair at a time in the towers; "
                "set training.activation_checkpointing=true, or lower training.batch_size or frames"
            )
        self.micro_batch = -(-size // 2)
