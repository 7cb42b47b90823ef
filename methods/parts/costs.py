"""The arithmetic of a composition, counted by hand: of its modules, and of its parts' algebra."""

from dataclasses import dataclass

from core.timing.cost import Cost
from methods.parts.composition import Composition


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

    Without a gate keys and each head's values behind the output map are in the index; logits take `F D`, a
    weighted sum as much per head, the residual map `D^2`. With one, frames are mixed (`F D`) and mapped to
    keys and values for every pair.
    """
    d, frames = sizes.width, sizes.frames
    if sizes.gated:
        return Cost(text=d**2 + d, pair=frames * d + 2 * frames * d**2 + 2 * frames * d + 2 * d**2)
    return Cost(text=d**2, pair=(1 + sizes.heads) * frames * d + d**2)


def modules_radius(sizes: Sizes) -> Cost:
    """Cosines with F frames, their lengths where every text has its own, and the map `F -> D`."""
    if sizes.perturbation == "none":
        return Cost()
    return Cost(pair=(3 if sizes.gated else 2) * sizes.frames * sizes.width)


def modules_cost(sizes: Sizes) -> Cost:
    """Text-conditioned pooling and perturbation by the method's modules."""
    return modules_pooling(sizes) + modules_radius(sizes) + comparison(sizes)


def exact_cost(sizes: Sizes) -> Cost:
    """Text-conditioned pooling and perturbation by algebra on B vectors per video, the parts' algebra.

    Products with frames make logits and cosines, or with picture and sound where a gate mixes them, which
    adds 2 x 2 per frame for lengths and deviations. Two LayerNorms take `B^2` and `(B + 1)^2`, a mix of C = B
    + 2 vectors its squared length `C^2` and one product per vector, with the text or with coefficients.
    """
    d, frames = sizes.width, sizes.frames
    sources = 2 * frames if sizes.gated else frames
    # |R (1 - g, g)|^2 of every frame, R being 2 x 2
    quadratic = 4 * frames if sizes.gated else 0
    # a vector per head and source, and the constant of LN1's bias behind a gate
    basis = sizes.heads * sources + (1 if sizes.gated else 0)
    mix = basis + 2
    # two LayerNorms by their factors, and the length of the mix
    lengths = basis**2 + (basis + 1) ** 2 + mix**2
    if not sizes.gated and sizes.perturbation == "none":
        # the maps act on the text: a product per frame and head for the logit, and one with the basis
        return Cost(text=5 * d**2, pair=lengths + 2 * basis * d)
    logits = (sizes.heads if sizes.gated else 1) * sources * d + quadratic
    # logits, and the products of the mix
    pooling = logits + lengths + mix * d
    radius = 0 if sizes.perturbation == "none" else sources * d + quadratic + frames * d
    queries = {"none": 0, "dasp": 2 * d, "stp": 3 * sizes.trials * d}[sizes.perturbation]
    return Cost(text=2 * d**2 + d if sizes.gated else d**2, pair=pooling + radius + queries)


def scoring_cost(method: Composition, *, exact: bool) -> Cost | None:
    """Multiply-adds of scoring by algebra or by the modules; None for what nobody has counted."""
    parts, dimensions = method.parts, method.dimensions
    gated = method.fusion.text_dependent
    sizes = Sizes(dimensions.width, dimensions.frames, parts.heads, parts.trials, gated, parts.perturbation)
    if parts.pooling == "text-conditioned" and parts.interaction == "cosine":
        return exact_cost(sizes) if exact else modules_cost(sizes)
    if gated or parts.perturbation != "none":
        return None
    if parts.pooling not in ("mean", "sequence-transformer"):
        return None
    vectors = {"cosine": 1, "multi-grained": 1 + dimensions.frames}
    return Cost(pair=vectors[parts.interaction] * dimensions.width) if parts.interaction in vectors else None
