"""What stands under and beside a figure: marks that are there, all configurations, and no overlap."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from core.registry import registered_methods
from core.scoring.similarities import BINS
from reports.figures.accuracy import cost_figure
from reports.figures.learning import learning_figure
from reports.figures.similarities import similarity_figure
from reports.figures.style import MOST_LABELS, PANELS, explain_labels
from tests.made_runs import make_run, result
from tests.reports.made_results import results_under

NOTES = ("(~): not converged.", "†: heads=2.", "In every run: frames=6.")


@pytest.mark.parametrize(
    ("label", "kept"),
    [("GAID (~)", (0, 2)), ("GAID (†)", (1, 2)), ("GAID", (2,)), ("GAID (†) (~)", (0, 1, 2))],
)
def test_only_marks_that_some_label_bears_are_explained(label: str, kept: tuple[int, ...]) -> None:
    figure, axis = plt.subplots()
    axis.set_title(label)
    explain_labels(figure, NOTES)
    assert figure.get_supxlabel() == "\n".join(NOTES[number] for number in kept)
    plt.close(figure)


def many(root: Path, count: int) -> None:
    """So many configurations of GAID with similarities, and figures per epoch."""
    counts = [3] * BINS
    looks = "".join(json.dumps({"epoch": n, "recall_at_1": 30.0 + n}) + "\n" for n in (1, 2))
    for number in range(count):
        entry = result(40.0) | {"similarities": {"positive": counts, "negative": counts}}
        directory, _ = make_run(root, {"config.alpha": (number + 1) / 100}, [entry])
        (directory.path / "epochs.jsonl").write_text(looks, encoding="utf-8")


def test_configurations_without_a_name_or_a_panel_are_counted(tmp_path: Path) -> None:
    many(tmp_path, MOST_LABELS + 2)
    results = results_under(tmp_path)
    for figure in (cost_figure(results), learning_figure(results.runs)):
        assert not isinstance(figure, str)
        named = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert len(named) == MOST_LABELS + 1
        assert named[-1] == "and 2 more"
        plt.close(figure)
    panels = similarity_figure(results)
    assert not isinstance(panels, str)
    assert (
        panels.get_supxlabel()
        == f"{MOST_LABELS + 2 - PANELS} further configurations are not drawn: {PANELS} panels fit."
    )
    plt.close(panels)


def test_every_hosted_method_has_a_name_in_a_figure_of_all() -> None:
    assert len(registered_methods()) <= MOST_LABELS


def test_the_legend_of_the_similarities_is_clear_of_the_notes(tmp_path: Path) -> None:
    many(tmp_path, 2)
    figure = similarity_figure(results_under(tmp_path))
    assert not isinstance(figure, str)
    explain_labels(figure, ["In every run: frames=6."])
    figure.canvas.draw()
    legend, note = figure.legends[0].get_window_extent(), figure._supxlabel.get_window_extent()
    assert not legend.overlaps(note)
    plt.close(figure)


def test_a_long_legend_hides_nothing_of_what_is_drawn(tmp_path: Path) -> None:
    many(tmp_path, MOST_LABELS + 2)
    results = results_under(tmp_path)
    for figure in (cost_figure(results), learning_figure(results.runs)):
        assert not isinstance(figure, str)
        figure.canvas.draw()
        (axis,) = figure.axes
        legend = axis.get_legend().get_window_extent()
        assert legend.x0 >= axis.get_window_extent().x1 - 1
        assert legend.x1 <= figure.bbox.x1 + 1
        assert legend.y0 >= figure.bbox.y0
        assert axis.get_window_extent().width > 300
        plt.close(figure)
