"""Time of 1,000 queries over the size of the gallery, one panel per method."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from core.paths import written_whole
from core.timing.records import IMPLEMENTATIONS, Implementation, Measurement, Study

PERTURBATION_COLOURS = {
    "none": "#000000",
    "dasp": "#0072B2",
    "stp-per-text": "#009E73",
    "stp-fresh": "#D55E00",
}
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""
IMPLEMENTATION_STYLES: Mapping[Implementation, tuple[Literal[":", "--", "-"], str]] = {
    "as released": (":", "^"),
    "tiled modules": ("--", "s"),
    "exact": ("-", "o"),
}
"""Line and marker of an implementation: the second cue beside the colour."""


def draw_method(axis: Axes, rows: list[Measurement]) -> None:
    """The lines of one method."""
    for perturbation, colour in PERTURBATION_COLOURS.items():
        for implementation in IMPLEMENTATIONS:
            line, marker = IMPLEMENTATION_STYLES[implementation]
            points = [
                (row.videos, row.queries.busy)
                for row in rows
                if (row.perturbation, row.implementation) == (perturbation, implementation) and row.queries
            ]
            if points:
                measured = "none" if implementation == "as released" else colour
                axis.plot(
                    *zip(*sorted(points), strict=True),
                    color=colour,
                    linestyle=line,
                    marker=marker,
                    markersize=4.5,
                    markerfacecolor=measured,
                    linewidth=1.4,
                )
    axis.set_xscale("log")
    axis.set_yscale("log")
    sizes = sorted({row.videos for row in rows})
    axis.xaxis.set_major_locator(FixedLocator(sizes))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_title(rows[0].method, fontsize=9)
    axis.set_xlabel("videos in the gallery", fontsize=8)
    axis.grid(which="major", color="#DDDDDD", linewidth=0.5)
    axis.tick_params(labelsize=7)


def timing_figure(study: Study) -> Figure:
    """The log-log picture of a study."""
    methods = list(dict.fromkeys(row.method for row in study.rows))
    figure, grid = plt.subplots(
        1,
        len(methods),
        figsize=(1.2 + 3.3 * len(methods), 3.8),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, method in zip(grid[0], methods, strict=True):
        draw_method(axis, [row for row in study.rows if row.method == method])
    grid[0, 0].set_ylabel(f"{study.clock} seconds per 1,000 queries", fontsize=8)
    seen = {row.perturbation for row in study.rows}
    handles = [
        Line2D([], [], color=c, label=name) for name, c in PERTURBATION_COLOURS.items() if name in seen
    ]
    handles += [
        Line2D([], [], color="#555555", linestyle=line, marker=marker, markersize=4.5, label=name)
        for name, (line, marker) in IMPLEMENTATION_STYLES.items()
    ]
    handles[-len(IMPLEMENTATION_STYLES)].set_markerfacecolor("none")
    handles[-len(IMPLEMENTATION_STYLES)].set_label("as released (extrapolated)")
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7, frameon=False)
    return figure


def write_timing_figure(study: Study, path: Path) -> None:
    """Writes the picture as PNG."""
    figure = timing_figure(study)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=160, format="png")
    plt.close(figure)
