"""Whether a gate means what it says: share of frames in which the sound matters, over the gate's value."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from reports.collect import Run
from reports.figures.style import BLACK, COLOURS, GREY, MARKERS, PANELS, tidy
from reports.gates import has_gate_per_frame, stored_gates

BINS = 10
"""Of equal width over [0, 1]."""

FEWEST = 20
"""Frames that a bin needs for its share to be drawn."""


def calibration(gate: Tensor, truth: Tensor, bins: int = BINS) -> tuple[Tensor, Tensor, Tensor]:
    """Mean gate, share of the relevant, and count of each bin of gate values, `(bins,)` float64 each.

    `gate` `(Q,)` in [0, 1], `truth` `(Q,)` bool. AVIGATE's gates are hyperbolic tangents: what is below 0
    counts in the first bin. NaN where a bin is empty. Guo et al., "On Calibration of
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


def curves_of(stored: Mapping[str, Tensor], per_frame: bool) -> dict[str, tuple[Tensor, Tensor]]:
    """Gate -> its values and the truth of audible clips, `(Q,)` each; a gate per layer is one per clip."""
    audible = stored["audible"].bool()
    truth = stored["truth"].bool()[audible]
    curves = {}
    for name, key in (("trained", "gates"), ("untrained", "untrained")):
        if key in stored:
            gates = stored[key][audible]
            if per_frame:
                curves[name] = gates.flatten(), truth.flatten()
            else:
                for layer in range(gates.shape[1]):
                    curves[f"{name} layer {layer + 1}"] = gates[:, layer], truth.any(1)
    return curves


def calibration_figure(runs: list[Run]) -> Figure | str:
    """A panel per configuration with gates and a known truth, the first ones; or why there is none."""
    panels: dict[str, dict[str, tuple[Tensor, Tensor]]] = {}
    for run in runs:
        stored = stored_gates(run, "test")
        if stored is not None and "truth" in stored:
            name = f"{run.label}, {run.spec.dataset}"
            if name not in panels and len(panels) == PANELS:
                break
            panels.setdefault(name, curves_of(stored, per_frame=has_gate_per_frame(run)))
    if not panels:
        return "no run has gates on data whose truth is known"
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
            drawn = count >= FEWEST
            line, colour = ("--", BLACK) if "untrained" in gate else ("-", COLOURS[number % len(COLOURS)])
            axis.plot(
                means[drawn],
                shares[drawn],
                linestyle=line,
                color=colour,
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                linewidth=1.3,
                label=f"{gate}, error {calibration_error(values, truth):.2f}",
            )
        tidy(axis, name, "gate: weight of sound", "share in which the sound matters")
        axis.set(xlim=(min(0, *(float(values.min()) for values, _ in curves.values())), 1), ylim=(0, 1))
        axis.legend(fontsize=6.5, frameon=False)
    return figure
