"""The processes that train one model together: who this one is, and what they tell each other.

Every process computes the whole batch's loss from gathered features, so the gradient with respect to
its own part of the batch is complete without any communication in the backward pass; only the towers'
gradients are added up afterwards.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

COLLECTIVE_PATIENCE = timedelta(days=7)
"""How long processes wait for one that prepares data or scores; a dead one is torchrun's to notice."""


@dataclass(frozen=True)
class World:
    """One process among those that train together."""

    rank: int = 0
    """Number of this process; 0 leads: it alone validates, scores and writes."""
    size: int = 1
    """Number of processes."""

    @property
    def leads(self) -> bool:
        """Whether this process validates, scores and writes."""
        return self.rank == 0

    def part(self, total: int) -> slice:
        """The rows of a batch of `total` that this process encodes; sizes differ by one at most."""
        share, more = divmod(total, self.size)
        start = self.rank * share + min(self.rank, more)
        return slice(start, start + share + (self.rank < more))

    def gathered(self, own: Tensor, total: int) -> Tensor:
        """Rows of all processes `(total, ...)`, of which `own` are this one's; gradients reach only those."""
        if self.size == 1:
            return own
        part = self.part(total)
        whole = own.new_zeros(total, *own.shape[1:])
        whole[part] = own.detach()
        distributed.all_reduce(whole)
        return torch.cat([whole[: part.start], own, whole[part.stop :]])

    def add_up(self, tensor: Tensor) -> None:
        """Replaces a tensor by its sum over the processes."""
        if self.size > 1:
            distributed.all_reduce(tensor)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if self.size == 1:
            return flag
        flags = torch.tensor(int(flag))
        distributed.all_reduce(flags)
        return bool(flags)

    def wait(self) -> None:
        """Returns when every process has come here."""
        self.any(False)


ONE_PROCESS = World()
"""The usual case: one process."""


def current_world() -> World:
    """The world that this process has joined, or itself alone."""
    if not distributed.is_initialized():
        return ONE_PROCESS
    return World(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def joined(meeting_point: str = "env://", rank: int = -1, size: int = -1) -> Iterator[World]:
    """The world of `size` processes that meet at an address, for a block; the default is what torchrun says.

    A process with CUDA takes the device of its number on this machine.
    """
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(
        backend, init_method=meeting_point, rank=rank, world_size=size, timeout=COLLECTIVE_PATIENCE
    )
    try:
        yield current_world()
    finally:
        distributed.destroy_process_group()
