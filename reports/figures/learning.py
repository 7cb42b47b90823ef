"""R@1 on the split that selects the checkpoint, epoch by epoch: whether training has converged."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.collect import Run
from reports.figures.style import MARKERS, PALETTE, draw_legend, legend_name, tidy


def learning_figure(runs: Sequence[Run]) -> Figure | str:
    """A panel per data set, a line per run that looked at a split after its epochs; or why there is none."""
    panels: dict[str, list[Run]] = {}
    for run in runs:
        if run.epochs:
            panels.setdefault(run.spec.dataset, []).append(run)
    if not panels:
        return "no run kept figures per epoch; runs that select by `val` or `test-best` do"
    figure, grid = plt.subplots(
        1, len(panels), figsize=(1.4 + 3.8 * len(panels), 3.6), squeeze=False, layout="constrained"
    )
    for axis, (dataset, found) in zip(grid[0], panels.items(), strict=True):
        labels = list(dict.fromkeys(run.label for run in found))
        named: set[str] = set()
        for run in found:
            number = labels.index(run.label)
            axis.plot(
                [look.epoch for look in run.epochs],
                [look.recall_at_1 for look in run.epochs],
                color=PALETTE[number % len(PALETTE)],
                marker=MARKERS[(number + number // len(PALETTE)) % len(MARKERS)],
                markersize=4,
                linewidth=1.2,
                label="" if run.label in named else legend_name(number, len(labels), run.label),
            )
            named.add(run.label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_xlim(0.5, max(look.epoch for run in found for look in run.epochs) + 0.5)
        splits = "/".join(
            dict.fromkeys("test" if r.spec.training.selection == "test-best" else "val" for r in found)
        )
        tidy(axis, dataset, "epoch", f"text-to-video R@1 on {splits} (points)")
        draw_legend(axis)
    return figure
