"""How much arithmetic scoring takes once the index is there, counted by hand.

A count is of multiply-adds in products, sums of products and squared lengths. Left out are exponentials,
divisions, softmax, the statistics of LayerNorm and random numbers. torch's profiler sees matrix products
only, so it counts less wherever vectors are multiplied element by element.
"""

from dataclasses import dataclass

from core.method import Method
from core.timings import Implementation
from methods.composed import ComposedMethod


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


@dataclass(frozen=True)
class Sizes:
    """What a cost depends on."""

    width: int
    """D."""
    frames: int
    """F."""
    heads: int
    """H of text-conditioned pooling."""
    trials: int
    """K of STP."""
    gated: bool
    """Whether every text has fused frames of its own."""
    perturbation: str
    """`none`, `stp` or `dasp`."""


def comparison(sizes: Sizes) -> Cost:
    """From a pooled vector to a score: its length, then per query `t + x S`, its length and the product.

    An unperturbed text needs the product alone.
    """
    queries = {"none": 1, "dasp": 3, "stp": 3 * sizes.trials}[sizes.perturbation]
    return Cost(pair=(1 + queries) * sizes.width)


def modules_pooling(sizes: Sizes) -> Cost:
    """X-Pool's attention and the two maps behind it.

    Without a gate keys and values are in the index; logits and weighted sum take `F D` each. With one, frames
    are mixed (`F D`), the key map acts on the text and the value map on the weighted mean, over whole vectors
    for every head.
    """
    d, frames = sizes.width, sizes.frames
    if sizes.gated:
        return Cost(text=2 * d**2, pair=frames * d + 2 * sizes.heads * frames * d + 3 * d**2)
    return Cost(text=d**2, pair=2 * frames * d + 2 * d**2)


def modules_radius(sizes: Sizes) -> Cost:
    """Cosines with F frames, their lengths where every text has its own, and the map `F -> D`."""
    if sizes.perturbation == "none":
        return Cost()
    return Cost(pair=(3 if sizes.gated else 2) * sizes.frames * sizes.width)


def modules_cost(sizes: Sizes) -> Cost:
    """Text-conditioned pooling and perturbation by the method's modules."""
    return modules_pooling(sizes) + modules_radius(sizes) + comparison(sizes)


def query_gflop(method: Method, implementation: Implementation, texts: int, videos: int) -> float | None:
    """GFLOP of scoring texts against videos; None where nobody has counted."""
    if not isinstance(method, ComposedMethod):
        return None
    parts = method.parts
    sizes = Sizes(
        method.dimensions.width,
        method.dimensions.frames,
        parts.heads,
        parts.trials,
        method.fusion.text_dependent,
        parts.perturbation,
    )
    if parts.pooling == "text-conditioned":
        return modules_cost(sizes).gflop(texts, videos)
    return None
