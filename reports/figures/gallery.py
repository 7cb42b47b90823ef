"""R@1 over the size of the gallery, a line per configuration."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from reports.figures.style import MARKERS, PALETTE, draw_legend, legend_name, tidy
from reports.gallery_size import gallery_curves
from reports.results import Results


def gallery_figure(results: Results) -> Figure | str:
    """A panel per data set, a line per configuration with distractors; or why there is none."""
    curves = gallery_curves(results)
    if not curves:
        return "no run has distractors in its gallery; `bench evaluate RUN --distractors DIR` makes one"
    panels = list(dict.fromkeys(curve.data for curve in curves))
    figure, grid = plt.subplots(
        1, len(panels), figsize=(1.4 + 3.8 * len(panels), 3.6), squeeze=False, layout="constrained"
    )
    for axis, data in zip(grid[0], panels, strict=True):
        found = [curve for curve in curves if curve.data == data]
        for number, curve in enumerate(found):
            axis.plot(
                [point.gallery for point in curve.points],
                [point.recalls[0] for point in curve.points],
                color=PALETTE[number % len(PALETTE)],
                marker=MARKERS[(number + number // len(PALETTE)) % len(MARKERS)],
                markersize=4,
                linewidth=1.2,
                label=legend_name(number, len(found), curve.label),
            )
        axis.set_xscale("log")
        tidy(axis, data, "videos in the gallery", "text-to-video R@1 (points)")
        draw_legend(axis)
    return figure
