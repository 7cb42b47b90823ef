"""How similar matched and other pairs are, without perturbation and under each kind (GAID, figure 6)."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from core.scoring.similarities import bin_edges
from reports.figures.style import BLUE, PANELS, VERMILION, explain_left_out, tidy
from reports.results import Results
from reports.table import number

MERGED = 5
"""Stored bins per drawn one: a hundred matched pairs would else be a comb."""


def similarity_figure(results: Results) -> Figure | str:
    """A panel per configuration, perturbed ones rather than others where there are many; or why none."""
    found: dict[str, NDArray[np.int64]] = {}
    perturbed: set[str] = set()
    rows = results.select(split="test", condition="leak-free", rescoring="none", direction="t2v")
    for row in rows:
        kept = row.answers.entry.similarities
        if kept is not None:
            counts = np.array([kept.positive, kept.negative])
            name = f"{row.run.label}, {row.run.spec.dataset}"
            if row.run.spec.config.get("perturbation", "none") != "none":
                perturbed.add(name)
            found[name] = found[name] + counts if name in found else counts
    if not found:
        return "no run has kept its similarities; run a cell again"
    chosen = sorted(found, key=lambda name: name not in perturbed)[:PANELS]
    shown = {name: counts for name, counts in found.items() if name in chosen}
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(3.4 * columns, 2.6 * lines), squeeze=False, sharey=True, layout="constrained"
    )
    occupied = np.sum(list(shown.values()), axis=(0, 1)).nonzero()[0]
    edges = bin_edges().numpy()
    first, last = occupied[0] // MERGED * MERGED, -(-(occupied[-1] + 1) // MERGED) * MERGED  # of drawn bins
    for axis, (name, counts) in zip(grid.flat, shown.items(), strict=False):
        draw_counts(axis, name, counts)
        axis.set_xlim(edges[max(first - MERGED, 0)], edges[min(last + MERGED, len(edges) - 1)])
        axis.tick_params(labelleft=True)
    for axis in grid.flat[len(shown) :]:
        axis.set_axis_off()
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(),
        loc="outside upper right",  # the line that explains the labels is at the bottom
        ncols=2,
        fontsize=7,
        frameon=False,
    )
    explain_left_out(figure, len(found) - len(shown))
    return figure


def draw_counts(axis: Axes, name: str, counts: NDArray[np.int64]) -> None:
    """One configuration: both densities, their means, and how far apart they stand in pooled deviations."""
    fine = bin_edges().numpy()
    centres, edges = (fine[1:] + fine[:-1]) / 2, fine[::MERGED]
    moments = []
    labels = ("text and its own video", "text and another video")
    for row, colour, text in zip(counts, (BLUE, VERMILION), labels, strict=True):
        density = row.reshape(-1, MERGED).sum(1) / (row.sum() * np.diff(edges))
        line = "-" if colour == BLUE else "--"
        axis.stairs(density, edges, color=colour, fill=True, alpha=0.25)
        axis.stairs(density, edges, color=colour, linewidth=1.3, linestyle=line, label=text)
        mean = float((row * centres).sum() / row.sum())
        moments.append((mean, float((row * (centres - mean) ** 2).sum() / row.sum())))
    (own, spread), (other, others_spread) = moments
    pooled = math.sqrt((spread + others_spread) / 2)
    apart = (own - other) / pooled if pooled else math.nan
    tidy(axis, name, "cosine similarity", "density")
    axis.text(
        0.02,
        0.95,
        f"mean of own pairs {number(own, 2)}\nmean of others {number(other, 2)}\n"
        f"{number(apart)} deviations apart",
        fontsize=6.5,
        ha="left",
        va="top",
        transform=axis.transAxes,
    )
