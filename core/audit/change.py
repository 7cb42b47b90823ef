"""How far scores are from what they should be."""

from dataclasses import astuple, dataclass
from typing import Self

from torch import Tensor

from core.audit.subject import TOLERANCE


@dataclass(frozen=True)
class Change:
    """Difference of two score matrices."""

    largest: float
    """Largest absolute difference where both are defined."""
    mean: float
    """Mean absolute difference there; NaN where there is nothing to compare."""
    undefined: float
    """Share of the scores, in percent, that exist in one of them only."""

    @classmethod
    def between(cls, found: Tensor, expected: Tensor) -> Self:
        """Of scores of one shape."""
        undefined = found.isnan() != expected.isnan()
        both = ~found.isnan() & ~expected.isnan()
        difference = (found - expected)[both].abs()
        largest = float(difference.max()) if len(difference) else 0.0
        return cls(largest, float(difference.mean()), 100 * float(undefined.float().mean()))

    @classmethod
    def worst(cls, *changes: Self) -> Self:
        """The worst of several in every respect."""
        return cls(*(max(values) for values in zip(*(astuple(c) for c in changes), strict=True)))

    @property
    def none(self) -> bool:
        """Whether the scores are the same but for rounding."""
        return self.largest <= TOLERANCE and self.undefined == 0

    def __str__(self) -> str:
        size = "0" if self.largest <= TOLERANCE else f"{self.largest:.3f}"
        return size + (f" ({self.undefined:.0f} % undefined)" if self.undefined else "")
