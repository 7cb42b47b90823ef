"""Whether a gate means what it says: share of frames in which the sound matters, over the gate's value.

Only gates that are probabilities have a calibration: one per frame, between 0 and 1.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from reports.collect import Run
from reports.figures.style import BLACK, GREY, MARKERS, PALETTE, PANELS, explain_labels, tidy
from reports.gates import Gates
from reports.table import number as number_text

GATE_BINS = 10
"""Of equal width over [0, 1]."""

FEWEST_FRAMES = 20
"""Frames that a bin needs for its share to be drawn."""


def calibration(gate: Tensor, truth: Tensor, bins: int = GATE_BINS) -> tuple[Tensor, Tensor, Tensor]:
    """Mean gate, share of the relevant, and count of each bin of gate values, `(bins,)` float64 each.

    `gate` `(Q,)` in [0, 1], `truth` `(Q,)` bool. NaN where a bin is empty. Guo et al., "On Calibration of
    Modern Neural Networks", ICML 2017.
    """
    place = (gate.double() * bins).long().clamp(0, bins - 1)
    count, gates, hits = (
        torch.zeros(bins, dtype=torch.float64).index_add_(0, place, values.double())
        for values in (torch.ones_like(gate), gate, truth)
    )
    return gates / count, hits / count, count


def calibration_error(gate: Tensor, truth: Tensor) -> float:
    """Expected calibration error: distance of gate and share, averaged over the values."""
    gates, shares, count = calibration(gate, truth)
    return float(((gates - shares).abs().nan_to_num() * count).sum() / count.sum())


def curves_of(gates: Gates, truth: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Gate -> its values in the frames of audible clips and the truth there, `(Q,)` each."""
    matters = truth[gates.audible].flatten()
    curves = {"trained": (gates.values[gates.audible].flatten(), matters)}
    if gates.untrained is not None:
        curves["untrained"] = gates.untrained[gates.audible].flatten(), matters
    return curves


def calibration_figure(runs: Sequence[Run]) -> Figure | str:
    """A panel per configuration with such gates and a known truth, the first ones; or why there is none."""
    panels: dict[str, dict[str, tuple[Tensor, Tensor]]] = {}
    for run in runs:
        gates, name = run.gates.get("test"), f"{run.label}, {run.spec.dataset}"
        if gates is None or gates.truth is None or not gates.probability:
            continue
        if name in panels or len(panels) < PANELS:
            panels.setdefault(name, curves_of(gates, gates.truth))
    if not panels:
        return "no run has gates between 0 and 1, one per frame, on data whose truth is known"
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(3.5 * columns, 3.3 * rows), squeeze=False, layout="constrained"
    )
    for axis in grid.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (name, curves) in zip(grid.flat, panels.items(), strict=False):
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        for number, (gate, (values, truth)) in enumerate(curves.items()):
            means, shares, count = calibration(values, truth)
            drawn = count >= FEWEST_FRAMES
            line, colour = ("--", BLACK) if "untrained" in gate else ("-", PALETTE[number % len(PALETTE)])
            axis.plot(
                means[drawn],
                shares[drawn],
                linestyle=line,
                color=colour,
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                linewidth=1.3,
                label=f"{gate}, error {number_text(calibration_error(values, truth), 2)}",
            )
        tidy(axis, name, "gate: weight of sound", "share of frames in which the sound matters")
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axis.legend(fontsize=6.5, frameon=False)
    explain_labels(
        figure,
        [
            f"Bins of {1 / GATE_BINS:g}; drawn from {FEWEST_FRAMES} frames on. error: distance of gate and "
            "share, averaged over the frames. Dotted: a gate that means what it says."
        ],
    )
    return figure
