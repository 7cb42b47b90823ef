"""How much of a sphere lies in a cone around a text: the exact share beside the approximation in print.

GAID (arXiv 2508.01711, equations 6 and 7) argues with the share of directions within an angle of a given
one and approximates it by `exp(-(d - 1) theta^2 / 2)`, printed as 1e-72 for d = 512 and 30 degrees. That
formula gives 3.8e-31, and it falls where the share rises; the exact share is 3.0e-156.
"""

import math
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from reports.figures.style import BLACK, BLUE, GREEN, ORANGE, VERMILION, tidy

BALL_WIDTH, DEGREES, PRINTED = 512, 30.0, -72
"""Width and angle of the paper's example, and the decimal exponent that it prints."""

NODES = 400
"""Of the quadrature; the integrand is a narrow peak at the rim of the cone."""


@cache
def quadrature() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss and Legendre's nodes and weights on [-1, 1], `(NODES,)` each."""
    return np.polynomial.legendre.leggauss(NODES)


def log10_cap_share(width: int, degrees: float) -> float:
    """Decimal logarithm of the share of the unit sphere in R^`width` within an angle of a direction.

    `integral_0^theta sin^(d-2)` over its integral up to pi, in log space, for shares far below the smallest
    float (S. Li, "Concise Formulas for the Area and Volume of a Hyperspherical Cap", 2011, equation 1).
    """
    theta = math.radians(degrees)
    nodes, weights = quadrature()
    angles = theta * (nodes + 1) / 2
    inside = logsumexp((width - 2) * np.log(np.sin(angles)), b=weights * theta / 2)
    whole = math.log(math.pi) / 2 + gammaln((width - 1) / 2) - gammaln(width / 2)
    return float((inside - whole) / math.log(10))


def log10_printed(width: int, degrees: float) -> float:
    """Decimal logarithm of the paper's approximation `exp(-(d - 1) theta^2 / 2)`, equation 7."""
    return -(width - 1) * math.radians(degrees) ** 2 / 2 / math.log(10)


def log10_bound(width: int, degrees: float) -> float:
    """Decimal logarithm of a bound from above that does hold, `exp(-(d - 1) cos^2(theta) / 2)`."""
    return -(width - 1) * math.cos(math.radians(degrees)) ** 2 / 2 / math.log(10)


def cone_figure() -> Figure:
    """Share against angle at one width, and against width at one angle."""
    figure, (by_angle, by_width) = plt.subplots(1, 2, figsize=(8.6, 3.4), layout="constrained")
    curves = (
        ("exact share", log10_cap_share, BLUE, "-"),
        ("a valid bound: exp(−(d−1)cos²θ/2)", log10_bound, GREEN, "--"),
        ("GAID's formula (arXiv 2508.01711, eq. 7): exp(−(d−1)θ²/2)", log10_printed, VERMILION, ":"),
    )
    angles, widths = np.linspace(5, 90, 120), range(16, 1025, 16)
    for name, curve, colour, line in curves:
        style = {"color": colour, "linestyle": line, "linewidth": 1.8, "label": name}
        by_angle.plot(angles, [curve(BALL_WIDTH, angle) for angle in angles], **style)
        by_width.plot(widths, [curve(width, DEGREES) for width in widths], **style)
    for axis, position in ((by_angle, DEGREES), (by_width, BALL_WIDTH)):
        axis.plot(
            position,
            PRINTED,
            marker="X",
            color=ORANGE,
            markeredgecolor=BLACK,
            linestyle="none",
            label="printed there: 1e−72",
        )
        exact = log10_cap_share(BALL_WIDTH, DEGREES)
        axis.plot(position, exact, marker="o", color=BLUE, linestyle="none")
        axis.annotate(scientific(exact), (position, exact), (8, 2), textcoords="offset points", fontsize=7)
    tidy(by_angle, f"d = {BALL_WIDTH}", "angle θ around the text, degrees", "log₁₀ share of all directions")
    tidy(by_width, f"θ = {DEGREES:g}°", "embedding width d", "log₁₀ share of all directions")
    figure.suptitle("Share of all directions in a cone around a text: exact, and as GAID has it", fontsize=10)
    figure.legend(
        *by_angle.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7, frameon=False
    )
    return figure


def scientific(log10: float) -> str:
    """A number by its decimal logarithm, e.g. 3.0e−156."""
    exponent = math.floor(log10)
    return f"{10 ** (log10 - exponent):.1f}e{exponent}".replace("-", "−")
