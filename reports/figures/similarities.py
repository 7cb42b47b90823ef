"""How similar matched and other pairs are, without perturbation and under each kind (GAID, figure 6)."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from core.scoring.similarities import bin_edges
from reports.collect import Run
from reports.figures.style import BLUE, PANELS, VERMILION, tidy
from reports.queries import Protocol

MERGED = 5
"""Stored bins per drawn one: a hundred matched pairs would else be a comb."""

KINDS = ("positive", "negative")


def similarity_figure(runs: list[Run]) -> Figure | str:
    """A panel per configuration, the perturbed ones first; or why there is none."""
    found: dict[str, NDArray[np.int64]] = {}
    for run in sorted(runs, key=lambda run: run.spec.config.get("perturbation") is None):
        counts = counts_of(run)
        if counts is not None:
            name = f"{run.label}, {run.spec.dataset}"
            found[name] = found[name] + counts if name in found else counts
    if not found:
        return "no run has kept its similarities; run a cell again"
    shown = dict(list(found.items())[:PANELS])
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(3.4 * columns, 2.5 * rows), squeeze=False, sharex=True, layout="constrained"
    )
    for axis, (name, counts) in zip(grid.flat, shown.items(), strict=False):
        draw(axis, name, counts)
    for axis in grid.flat[len(shown) :]:
        axis.set_axis_off()
    occupied = np.sum(list(shown.values()), axis=(0, 1)).nonzero()[0]
    edges = bin_edges().numpy()
    grid[0, 0].set_xlim(edges[occupied[0]], edges[occupied[-1] + 1])
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        fontsize=7,
        frameon=False,
    )
    return figure


def counts_of(run: Run) -> NDArray[np.int64] | None:
    """Counts `(2, BINS)` of the run's leak-free test cosines, matched then others; None where not kept."""
    for result in run.metrics["results"]:
        protocol = result["protocol"]
        asked = Protocol(protocol["split"], protocol["condition"], protocol["rescoring"], result["direction"])
        if asked == Protocol("test") and result.get("similarities"):
            return np.array([result["similarities"][kind] for kind in KINDS])
    return None


def draw(axis: Axes, name: str, counts: NDArray[np.int64]) -> None:
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
    apart = (own - other) / np.sqrt((spread + others_spread) / 2)
    tidy(axis, name, "cosine similarity", "density")
    axis.text(
        0.02,
        0.95,
        f"means {own:.2f} | {other:.2f}\n{apart:.1f} deviations apart",
        fontsize=6.5,
        ha="left",
        va="top",
        transform=axis.transAxes,
    )
