"""The batches of training: in the order of a seed, read from the store ahead of the step that takes them."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Literal, TypeVar

import torch
from torch import Tensor

from core.batch import Videos, first_captions
from core.encoders.crops import centre_crop, clip_random, random_resized_crop
from core.errors import BenchError
from core.retriever import ENCODE_BATCH, Retriever, SplitData
from core.spec import Seeds, TrainingSpec
from core.training.world import ONE_PROCESS, World

AHEAD = 2
"""Batches that are read while the device works; more only cost memory."""
KEPT_BYTES = 2 * 2**30
"""Most that the captions of a tower that does not train may take in memory, words included."""
READERS = 8
"""Most threads that read and crop the clips of a batch beside a GPU."""

Item = TypeVar("Item")
Returned = TypeVar("Returned")


def data_order(pairing: Tensor, captions: Literal["every", "one", "first"], seed: int, epoch: int) -> Tensor:
    """The captions that an epoch visits, in order; a function of the data seed and nothing else.

    `pairing` `(N,)` int64 is the video of each caption. `one` keeps the first caption of each video in a
    random order of all of them: a uniform choice. `first` visits the same videos in the same order.
    """
    order = torch.randperm(len(pairing), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
    if captions == "every":
        return order
    drawn = order[first_captions(pairing[order])]
    if captions == "one":
        return drawn
    first = first_captions(pairing)
    of_video = torch.zeros(int(pairing.max()) + 1, dtype=torch.int64).index_put((pairing[first],), first)
    return of_video[pairing[drawn]]


def batches_of(order: Tensor, batch_size: int, drop_last: bool, least: int = 2) -> list[Tensor]:
    """Consecutive batches; a last one of fewer than `least` pairs is left out: one pair has no negatives."""
    return [b for b in order.split(batch_size) if len(b) == batch_size or (not drop_last and len(b) >= least)]


def require_batch(pairs: int, spec: TrainingSpec, processes: int = 1) -> None:
    """Raises `BenchError` where so many training pairs make no batch."""
    if not batches_of(torch.arange(pairs), spec.batch_size, spec.drop_last, max(2, processes)):
        raise BenchError(
            f"training has {pairs} pairs, fewer than one batch of {spec.batch_size}; "
            "lower training.batch_size"
        )


def read_ahead(read: Callable[[Item], Returned], items: Iterable[Item]) -> Iterator[Returned]:
    """`read(item)` of every item in order, `AHEAD` of them ahead in a thread; errors are raised here."""
    remaining = iter(items)
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        waiting: list[Future[Returned]] = [thread.submit(read, item) for item in islice(remaining, AHEAD)]
        try:
            while waiting:
                result = waiting.pop(0).result()
                waiting += [thread.submit(read, item) for item in islice(remaining, 1)]
                yield result
        finally:
            for future in waiting:
                future.cancel()


@dataclass(frozen=True)
class Batch:
    """Matched pairs of one step; all processes hold the whole batch but for the pixels."""

    tokens: Tensor
    """`(B, context)` int64."""
    text_keys: Tensor
    """`(B,)` int64."""
    videos: Videos
    """`(B, ...)` cached features."""
    pixels: Tensor | None
    """`(b, F, size, size, 3)` in 0 to 255, of this process's part; None where no image tower trains."""
    part: slice
    """The rows of the batch that this process encodes."""
    text_embeds: Tensor | None = None
    """What `Retriever.text_embeds` gives of captions whose tower does not train, made before the first step;
    None where it does, and where all of them would take more than `KEPT_BYTES`."""
    speech: Tensor | None = None
    """`(B, Ls)` int64 tokens of what is said in the videos, where the tower that reads them trains."""

    def map(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        """The batch of the function's values for every tensor."""
        return Batch(
            function(self.tokens),
            function(self.text_keys),
            self.videos.map(function),
            None if self.pixels is None else function(self.pixels),
            self.part,
            None if self.text_embeds is None else function(self.text_embeds),
            None if self.speech is None else function(self.speech),
        )

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device; from pinned memory the copy runs beside the device's work."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=True))


class Loader:
    """Reads the training batches of a split, the same ones in the same order whatever the machine."""

    def __init__(
        self,
        retriever: Retriever,
        data: SplitData,
        spec: TrainingSpec,
        seeds: Seeds,
        world: World = ONE_PROCESS,
    ) -> None:
        self.retriever = retriever
        self.data = data
        self.spec = spec
        self.seeds = seeds
        self.world = world
        self.pinned = retriever.device.type == "cuda"
        self.readers = ThreadPoolExecutor(reader_threads(retriever.device), "reader")
        self.text_embeds = frozen_text_embeds(retriever, data, spec) if retriever.mode == "frozen" else None

    def order(self, epoch: int) -> Tensor:
        """The positions of the captions that an epoch visits, in its order."""
        return data_order(self.data.pairing, self.spec.captions, self.seeds.data, epoch)

    def batches(self, epoch: int) -> list[Tensor]:
        """The batches of an epoch, each the positions `(B,)` of its captions."""
        return batches_of(
            self.order(epoch), self.spec.batch_size, self.spec.drop_last, max(2, self.world.size)
        )

    def epoch(self, epoch: int, taken: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, on the CPU, without the first ones, so many of which were taken before."""
        return read_ahead(lambda positions: self.read(positions, epoch), self.batches(epoch)[taken:])

    def read(self, positions: Tensor, epoch: int) -> Batch:
        """The pairs of some captions `(B,)`."""
        rows = self.data.rows[self.data.pairing[positions]]
        part = self.world.part(len(positions))
        pixels = self.pixels(rows[part], epoch) if self.retriever.mode == "finetune" else None
        videos = self.retriever.features.videos(rows)
        batch = Batch(
            self.data.tokens[positions],
            self.data.text_keys[positions],
            videos,
            pixels,
            part,
            None if self.text_embeds is None else self.text_embeds[positions],
            None if self.retriever.trained_speech is None else self.retriever.trained_speech[rows],
        )
        return batch.map(Tensor.pin_memory) if self.pinned else batch

    def pixels(self, rows: Tensor, epoch: int) -> Tensor:
        """Training frames `(b, F, size, size, 3)`, values 0 to 255, of some clips by store row.

        Raises `BenchError` where the store is damaged.
        """
        size = self.retriever.backbone.image_size
        store = self.retriever.store
        store.verify_rows(rows.tolist())

        def square(row: int) -> Tensor:
            if self.spec.crop == "centre":
                return centre_crop(store.pixels(row), size)
            random = clip_random(self.seeds.data, epoch, int(self.retriever.features.keys[row]))
            return random_resized_crop(store.decoded(row), size, random, store.resize)

        return torch.stack(list(self.readers.map(square, rows.tolist())))


@torch.no_grad()
def frozen_text_embeds(retriever: Retriever, data: SplitData, spec: TrainingSpec) -> Tensor | None:
    """Embeddings `(N, D)` or, with their words, `(N, 1 + context, D)` of a split's captions, on the CPU.

    In the precision of the training's towers. All are encoded before the first step, in blocks that depend on
    the split alone, so that a resumed run reads the same bits. None where they would take more than
    `KEPT_BYTES`: then each batch encodes its own.
    """
    half, kept = spec.precision != "float32", torch.empty(0)
    for start in range(0, len(data.tokens), ENCODE_BATCH):
        tokens = data.tokens[start : start + ENCODE_BATCH].to(retriever.device)
        with torch.autocast(retriever.device.type, getattr(torch, spec.precision), enabled=half):
            block = retriever.text_embeds(tokens)
        if not start:
            shape, dtype = (len(data.tokens), *block.shape[1:]), retriever.method.logit_scale.dtype
            if prod(shape) * dtype.itemsize > KEPT_BYTES:
                return None
            kept = torch.empty(shape, dtype=dtype)
        kept[start : start + len(block)] = block
    return kept


def reader_threads(device: torch.device) -> int:
    """Threads that read clips: this process's share of the cores beside a GPU, else one."""
    if device.type != "cuda":
        return 1
    cores = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(READERS, cores))
