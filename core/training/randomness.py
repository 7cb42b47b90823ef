"""The random state that training depends on: kept in checkpoints, put back when a step is taken again."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class RandomState:
    """State of torch's generators and of training's own one."""

    own: Tensor
    """Of the generator that draws the noise of perturbations."""
    cpu: Tensor
    """Of the CPU's global generator: dropout there."""
    cuda: Tensor | None
    """Of this process's GPU: dropout there; None where there is none."""

    @classmethod
    def of(cls, own: torch.Generator) -> Self:
        """The present state."""
        cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
        return cls(own.get_state(), torch.get_rng_state(), cuda)

    def restore(self, own: torch.Generator) -> None:
        """Makes this the present state."""
        own.set_state(self.own)
        torch.set_rng_state(self.cpu)
        if self.cuda is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(self.cuda)
