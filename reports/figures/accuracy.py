"""R@1 against what it takes: the number of frames (GAID, figure 7), and the time of a query."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from core.evaluation.statistics import Interval, bootstrap_interval
from reports.figures.style import COLOURS, MARKERS, tidy
from reports.labels import Labels
from reports.queries import sample_of
from reports.tables import Results

LABELLED = 12
"""Configurations that a panel names."""


def leak_free(results: Results) -> pd.DataFrame:
    """The rows of leak-free text-to-video results without rescoring."""
    frame = results.frame
    chosen = (frame["direction"] == "t2v") & (frame["rescoring"] == "none") & (frame["condition"] == "leak-free")
    return frame[chosen & (frame["split"] == "test")]


def recall_at_1(rows: pd.DataFrame, results: Results) -> Interval:
    """R@1 in points of a configuration over its seeds, with its 95 % bootstrap interval."""
    sample = sample_of(rows, results.answers)
    return bootstrap_interval(100 * sample.credit, sample.clusters, seed=0)


def draw_point(axis: Axes, x: float, found: Interval, number: int, name: str) -> None:
    """A configuration with its interval."""
    axis.errorbar(
        x,
        found.estimate,
        [[found.estimate - found.low], [found.high - found.estimate]],
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[(number + number // len(COLOURS)) % len(MARKERS)],  # no colour twice with one mark
        markersize=5,
        capsize=2.5,
        linewidth=1,
        linestyle="none",
        label=name,
    )


def frames_figure(results: Results) -> Figure | str:
    """R@1 over the number of frames, a line per configuration that was run with several; or why none."""
    rows = leak_free(results)
    spec_of = {run.directory.path.name: run.spec for run in results.runs}
    specs = rows["run"].map(spec_of)
    alike = [spec.model_copy(update={"frames": 12}) for spec in specs]
    labels = Labels.among(alike)
    rows = rows.assign(
        frames=[spec.frames for spec in specs],
        family=[labels.of(spec) for spec in alike],
    )
    families = [
        (f"{family}, {data}", group)
        for (data, family), group in rows.groupby(["data", "family"], sort=False)
        if group["frames"].nunique() > 1
    ]
    if not families:
        return "no configuration was run with several numbers of frames; `bench run figure-7` does"
    figure, axis = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
    for number, (name, group) in enumerate(families[: len(COLOURS)]):
        points = {
            frames: recall_at_1(group[group["frames"] == frames], results)
            for frames in sorted(map(int, group["frames"].unique()))
        }
        shift = 0.12 * (number - (len(families) - 1) / 2)  # intervals of two lines would hide each other
        for frames, found in points.items():
            draw_point(axis, frames + shift, found, number, name if frames == min(points) else "")
        axis.plot(
            [frames + shift for frames in points],
            [found.estimate for found in points.values()],
            color=COLOURS[number],
            linewidth=1.2,
        )
    axis.set_xticks(sorted(set(rows["frames"])))
    tidy(axis, "More frames", "frames per clip", "text-to-video R@1, leak-free")
    axis.legend(fontsize=7, frameon=False)
    return figure


def cost_figure(results: Results) -> Figure | str:
    """R@1 over the time of a query, a panel per data; or why there is none."""
    rows = leak_free(results)
    rows = rows[rows["query_milliseconds"] > 0]
    panels = [(str(data), group) for data, group in rows.groupby("data", sort=False)]
    if not panels:
        return "no run was timed"
    figure, grid = plt.subplots(
        1, len(panels), figsize=(1.4 + 3.8 * len(panels), 3.6), squeeze=False, layout="constrained"
    )
    for axis, (data, group) in zip(grid[0], panels, strict=True):
        cells = list(group.groupby("label", sort=False))
        for number, (name, cell) in enumerate(cells):
            milliseconds = float(cell["query_milliseconds"].mean())
            named = str(name) if number < LABELLED else ""
            draw_point(axis, milliseconds, recall_at_1(cell, results), number, named)
        if group["query_milliseconds"].max() > 10 * group["query_milliseconds"].min():
            axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        tidy(axis, data, "milliseconds per query, this machine", "text-to-video R@1, leak-free")
        axis.legend(fontsize=6.5, frameon=False)
    return figure
