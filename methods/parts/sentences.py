"""Texts as an algebra asks for them."""

from dataclasses import dataclass

from torch import Tensor

from core.batch import Rows


@dataclass(frozen=True)
class SentenceVectors(Rows):
    """One vector per text."""

    embeds: Tensor
    """`(N, D)`."""
