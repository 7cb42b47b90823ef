"""How much arithmetic scoring takes once the index is there, counted by hand.

A count is of multiply-adds in products, sums of products and squared lengths. Left out are exponentials,
divisions, softmax, the statistics of LayerNorm and random numbers. torch's profiler sees matrix products
only, so it counts less wherever vectors are multiplied element by element.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Multiply-adds."""

    text: float = 0
    """Once per text."""
    pair: float = 0
    """Per text and video."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.text + other.text, self.pair + other.pair)

    def gflop(self, texts: int, videos: int) -> float:
        """GFLOP of scoring texts against videos, two per multiply-add."""
        return 2 * texts * (self.text + videos * self.pair) / 1e9
