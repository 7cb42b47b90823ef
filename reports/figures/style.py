"""What all figures share: colours, marks and how a figure becomes files."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from core.paths import written_whole
from reports.labels import MARKS

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#000000",
)
"""Okabe and Ito's palette, which colour-blind readers can tell apart and which prints in grey."""

PANELS = 6
"""Of a figure at most; more would be too small to read."""

GREY = "#999999"
PALETTE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
MARKERS = "osD^vPX"
"""The second cue beside the colour."""

MOST_LABELS = 20
"""Configurations that a panel names at most: as many as the height of a figure holds."""

INSIDE = 6
"""Configurations whose names find room in a panel beside what it shows."""

LETTER = 0.055
"""Width of a letter of a legend in inches."""

DPI = 160
FIGURE_FORMATS = ("png", "svg")


TITLE_WIDTH = 48
"""Letters of a title that fit over a panel."""


def tidy(axis: Axes, title: str, x: str, y: str) -> None:
    """Names an axis's panel and scales, with a light grid and no frame at the top and right."""
    axis.set_title(
        textwrap.fill(title, TITLE_WIDTH), fontsize=7 if len(title) > TITLE_WIDTH else 9, loc="left"
    )
    axis.set_xlabel(x, fontsize=8)
    axis.set_ylabel(y, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(color="#DDDDDD", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def mark_of(note: str) -> str:
    """The mark that a note explains, such as `†` or `(~)`; empty for a note on all labels.

    >>> mark_of("†: heads=2."), mark_of("(~): not converged."), mark_of("In every run: heads=2.")
    ('†', '(~)', '')
    """
    mark = note.partition(":")[0]
    return mark if mark in MARKS or (mark.startswith("(") and mark.endswith(")")) else ""


def explain_labels(figure: Figure, notes: Sequence[str]) -> None:
    """Says under a figure what the labels in it leave out; marks that no label bears are not explained."""
    letters = int(24 * figure.get_figwidth())  # that fit on a line of this size
    shown = " ".join(text.get_text() for text in figure.findobj(Text))
    lines = [textwrap.fill(note, letters) for note in notes if mark_of(note) in shown]
    if lines:
        before = figure.get_supxlabel()
        lines = [before, *lines] if before else lines
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6, color="#555555")


def legend_name(number: int, total: int, label: str) -> str:
    """What a legend calls the `number`-th of `total` configurations: the first ones by their labels.

    >>> [legend_name(number, 22, "GAID") for number in (0, 20, 21)]
    ['GAID', 'and 2 more', '']
    """
    if number < MOST_LABELS:
        return label
    return f"and {total - MOST_LABELS} more" if number == MOST_LABELS else ""


def draw_legend(axis: Axes) -> None:
    """Names what a panel shows: inside it, or beside it in a wider figure where the names are many."""
    names = axis.get_legend_handles_labels()[1]
    if len(names) <= INSIDE:
        axis.legend(fontsize=6.5, frameon=False)
        return
    axis.legend(fontsize=6.5, frameon=False, loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0)
    figure = axis.get_figure(root=True)
    if figure is not None:
        figure.set_figwidth(figure.get_figwidth() + 0.5 + LETTER * max(map(len, names)))


def explain_left_out(figure: Figure, left: int) -> None:
    """Says under a figure how many configurations have no panel of their own, where there are some."""
    if left:
        explain_labels(figure, [f"{left} further configurations are not drawn: {PANELS} panels fit."])


def save(figure: Figure, name: str, folder: Path) -> list[Path]:
    """Writes a figure as NAME.png and NAME.svg, each whole or not at all, and closes it."""
    paths = [folder / f"{name}.{kind}" for kind in FIGURE_FORMATS]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        for path, kind in zip(paths, FIGURE_FORMATS, strict=True):
            with written_whole(path) as temporary:
                figure.savefig(
                    temporary, dpi=DPI, format=kind, metadata={"Date": None} if kind == "svg" else None
                )
    plt.close(figure)
    return paths
