"""R@1 against what it takes: the number of frames (GAID, figure 7), and the time of a query."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from core.evaluation.statistics import Interval, bootstrap_interval
from reports.accuracy import milliseconds, reliable
from reports.collect import code_marks
from reports.figures.style import MARKERS, PALETTE, draw_legend, legend_name, tidy
from reports.labels import Labels
from reports.results import Results, SeededRows, row_marks
from reports.shown import FEWEST_QUERIES

R1 = "text-to-video R@1, leak-free (points)"


def leak_free(results: Results) -> list[SeededRows]:
    """Leak-free text-to-video results of the test split without rescoring, enough queries for an interval."""
    cells = results.cells(split="test", condition="leak-free", rescoring="none", direction="t2v")
    return [cell for cell in cells if cell.answers.entry.protocol.queries >= FEWEST_QUERIES]


def recall_interval(cell: SeededRows) -> Interval:
    """R@1 in points of a configuration over its seeds, with its 95 % bootstrap interval."""
    sample = cell.sample()
    return bootstrap_interval(sample.values, sample.clusters, seed=0)


def draw_point(axis: Axes, x: float, found: Interval, number: int, name: str) -> None:
    """A configuration with its interval."""
    axis.errorbar(
        x,
        found.estimate,
        [[found.estimate - found.low], [found.high - found.estimate]],
        color=PALETTE[number % len(PALETTE)],
        marker=MARKERS[(number + number // len(PALETTE)) % len(MARKERS)],  # no colour twice with one mark
        markersize=5,
        capsize=2.5,
        linewidth=1,
        linestyle="none",
        label=name,
    )


def frames_figure(results: Results) -> Figure | str:
    """R@1 over the number of frames, a line per configuration that was run with several; or why none."""
    cells = leak_free(results)
    alike = [cell.run.spec.model_copy(update={"frames": 12}) for cell in cells]
    labels = Labels.among(alike) if alike else None
    families: dict[str, dict[int, SeededRows]] = {}
    for cell, spec, mark in zip(cells, alike, code_marks([cell.run for cell in cells]), strict=True):
        name = f"{labels.of(spec) if labels else ''}{mark}{row_marks(cell.run)}, {cell.data}"
        families.setdefault(name, {})[cell.run.spec.frames] = cell
    families = {name: found for name, found in families.items() if len(found) > 1}
    if not families:
        return "no configuration was run with several numbers of frames; `bench run figure-7` does"
    figure, axis = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
    for number, (name, found) in enumerate(families.items()):
        name = legend_name(number, len(families), name)
        points = {frames: recall_interval(found[frames]) for frames in sorted(found)}
        shift = 0.12 * (number - (len(families) - 1) / 2)  # intervals of two lines would hide each other
        for frames, interval in points.items():
            draw_point(axis, frames + shift, interval, number, name if frames == min(points) else "")
        axis.plot(
            [frames + shift for frames in points],
            [interval.estimate for interval in points.values()],
            color=PALETTE[number % len(PALETTE)],
            linewidth=1.2,
        )
    axis.set_xticks(sorted({frames for found in families.values() for frames in found}))
    tidy(axis, "More frames", "frames per clip", R1)
    draw_legend(axis)
    return figure


def cost_figure(results: Results) -> Figure | str:
    """R@1 over the time of a query, a panel per data; or why there is none."""
    panels: dict[str, list[SeededRows]] = {}
    for cell in leak_free(results):
        if milliseconds(cell) > 0:
            panels.setdefault(cell.data, []).append(cell)
    if not panels:
        return "no run on enough queries was timed"
    figure, grid = plt.subplots(
        1, len(panels), figsize=(1.4 + 3.8 * len(panels), 3.6), squeeze=False, layout="constrained"
    )
    for axis, (data, cells) in zip(grid[0], panels.items(), strict=True):
        for number, cell in enumerate(cells):
            name = cell.label + ("" if reliable(cell) else " (time unreliable)")
            name = legend_name(number, len(cells), name)
            draw_point(axis, milliseconds(cell), recall_interval(cell), number, name)
        times = [milliseconds(cell) for cell in cells]
        if max(times) > 10 * min(times):
            axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        tidy(axis, data, "milliseconds per query, this machine", R1)
        axis.margins(0.08)
        draw_legend(axis)
    return figure
