"""Figures draw the numbers of the runs, and a figure without runs says why it is missing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import BenchError
from core.evaluation.measures import recall
from core.evaluation.statistics import bootstrap_interval
from core.run_files import GateScores
from core.runs import write_json
from core.scoring.similarities import BINS
from reports.collect import read_runs
from reports.figures.accuracy import cost_figure, frames_figure
from reports.figures.calibration import calibration, calibration_error, calibration_figure, curves_of
from reports.figures.drawings import latency_figure
from reports.figures.learning import learning_figure
from reports.figures.similarities import similarity_figure
from reports.figures.write import write_figures
from reports.gates import Gates
from reports.queries import ResultKey
from reports.results import Results
from tests.made_runs import make_run, result


def results_in(root: Path) -> Results:
    runs, notes = read_runs(root)
    assert not notes
    return Results.of(runs)


def test_recall_is_drawn_over_frames_with_its_interval(tmp_path: Path) -> None:
    for frames, points in ((12, 40.0), (24, 50.0)):
        make_run(tmp_path, {"frames": frames}, [result(points)])
    results = results_in(tmp_path)
    figure = frames_figure(results)
    assert not isinstance(figure, str)
    (axis,) = figure.axes
    line = next(line for line in axis.lines if len(line.get_xdata()) == 2)
    assert list(line.get_xdata()) == [12, 24] and list(line.get_ydata()) == [40.0, 50.0]
    drawn = [segment for bars in axis.collections for segment in bars.get_segments()]
    for run, segment in zip(sorted(results.runs, key=lambda run: run.spec.frames), drawn, strict=True):
        answers = run.answers[ResultKey("test")]
        expected = bootstrap_interval(recall(answers.ranks(), 1), answers.clusters, seed=0)
        assert segment[:, 1].tolist() == pytest.approx([expected.low, expected.high])


def test_one_number_of_frames_is_no_figure(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0)])
    assert "bench run figure-7" in str(frames_figure(results_in(tmp_path)))


def test_recall_is_drawn_over_the_time_of_a_query(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0)], query_seconds=0.4, queries=100)
    figure = cost_figure(results_in(tmp_path))
    assert not isinstance(figure, str)
    (marker,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert (marker.get_xdata()[0], marker.get_ydata()[0]) == (pytest.approx(4.0), pytest.approx(40.0))


def test_similarities_of_seeds_are_added_up_and_means_are_those_of_the_bins(tmp_path: Path) -> None:
    centres = (np.arange(BINS) + 0.5) * 2 / BINS - 1
    for seed in (0, 1):
        counts = {
            kind: [(10 + seed) * (position in spots) for position in range(BINS)]
            for kind, spots in (("positive", (150, 161)), ("negative", (100, 111)))
        }
        entry = {**result(40.0), "similarities": counts}
        make_run(tmp_path, {"seeds.data": seed}, [entry])
    figure = similarity_figure(results_in(tmp_path))
    assert not isinstance(figure, str)
    (axis,) = figure.axes
    shown = axis.texts[0].get_text()
    own, other = centres[[150, 161]].mean(), centres[[100, 111]].mean()
    assert shown.startswith(f"mean of own pairs {own:.2f}\nmean of others {other:.2f}")


def test_runs_without_similarities_give_no_figure(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0)])
    assert "run a cell again" in str(similarity_figure(results_in(tmp_path)))
    assert "no run has gates" in str(calibration_figure(results_in(tmp_path).runs))


def test_calibration_agrees_with_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    gate = torch.rand(200, generator=generator)
    truth = torch.rand(200, generator=generator) < gate
    means, shares, count = calibration(gate, truth)
    error = 0.0
    for position in range(10):
        inside = [i for i in range(200) if position / 10 <= float(gate[i]) < (position + 1) / 10]
        assert int(count[position]) == len(inside)
        assert float(means[position]) == pytest.approx(np.mean([float(gate[i]) for i in inside]))
        assert float(shares[position]) == pytest.approx(np.mean([bool(truth[i]) for i in inside]))
        error += len(inside) / 200 * abs(float(means[position]) - float(shares[position]))
    assert calibration_error(gate, truth) == pytest.approx(error)


def test_a_gate_that_is_the_share_has_no_error_and_an_opposite_gate_the_largest() -> None:
    truth = torch.tensor([True, False, True, False])
    assert calibration_error(torch.full((4,), 0.5), truth) == 0.0
    assert calibration_error(1 - truth.float(), truth) == 1.0


SCORES = GateScores(axis="frame", auroc={}, average_precision={})


def test_frames_are_calibrated_and_silent_clips_left_out() -> None:
    truth = torch.tensor([[True, False], [False, False], [True, True]])
    values = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    gates = Gates(torch.arange(3), values, torch.tensor([True, True, False]), truth, None, SCORES)
    curves = curves_of(gates, truth)
    assert list(curves) == ["trained"]
    drawn, matters = curves["trained"]
    assert drawn.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert matters.tolist() == [True, False, False, False]


@pytest.mark.parametrize(("axis", "low"), [("layer", 0.1), ("frame", -0.1)])
def test_a_gate_that_is_no_probability_has_no_calibration(axis: Any, low: float) -> None:
    values = torch.tensor([[low, 0.2], [0.3, 0.4]])
    scores = GateScores(axis=axis, auroc={}, average_precision={})
    assert not Gates(torch.arange(2), values, torch.ones(2).bool(), values > 0.2, None, scores).probability
    assert Gates(torch.arange(2), values.abs(), torch.ones(2).bool(), None, None, SCORES).probability


def test_validation_figures_are_drawn_over_the_epochs(tmp_path: Path) -> None:
    directory, _ = make_run(tmp_path, {}, [result(40.0)])
    looks = [{"epoch": 1, "recall_at_1": 10.0}, {"epoch": 2, "recall_at_1": 30.0}]
    (directory.path / "epochs.jsonl").write_text("".join(json.dumps(look) + "\n" for look in looks))
    figure = learning_figure(results_in(tmp_path).runs)
    assert not isinstance(figure, str)
    (line,) = figure.axes[0].lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([1, 2], [10.0, 30.0])
    assert figure.axes[0].get_xlabel() == "epoch" and "val" in figure.axes[0].get_ylabel()


def test_every_axis_of_a_figure_is_labelled_and_has_ticks(tmp_path: Path) -> None:
    for frames, recall_at_1 in ((12, 40.0), (24, 50.0)):
        directory, _ = make_run(tmp_path, {"frames": frames}, [similar(recall_at_1)])
        (directory.path / "epochs.jsonl").write_text('{"epoch": 1, "recall_at_1": 9.5}\n')
    results = results_in(tmp_path)
    drawn = [
        frames_figure(results),
        cost_figure(results),
        similarity_figure(results),
        learning_figure(results.runs),
    ]
    for figure in drawn:
        assert not isinstance(figure, str)
        figure.canvas.draw()
        for axis in figure.axes:
            if axis.has_data():
                assert axis.get_xlabel() and axis.get_ylabel() and axis.get_title(loc="left")
                for ticks in (axis.get_xticklabels(), axis.get_yticklabels()):
                    assert [label for label in ticks if label.get_visible() and label.get_text()]


def similar(recall_at_1: float) -> dict[str, Any]:
    """A result that has kept its similarities."""
    counts = {"positive": [0] * 150 + [5] * 10 + [0] * 40, "negative": [0] * 90 + [9] * 20 + [0] * 90}
    return {**result(recall_at_1), "similarities": counts}


def test_a_figure_is_drawn_again_only_where_its_data_changed(tmp_path: Path) -> None:
    directory, _ = make_run(tmp_path / "runs", {}, [result(40.0)])
    out = tmp_path / "out"
    out.mkdir()

    def drawn() -> int:
        write_figures(results_in(tmp_path / "runs"), tmp_path / "timing.json", out)
        return (out / "cost.png").stat().st_mtime_ns

    first = drawn()
    assert drawn() == first
    write_json(
        directory.path / "manifest.json", {**directory.read_json("manifest.json"), "query_seconds": 0.9}
    )
    second = drawn()
    assert second > first
    (out / "cost.png").unlink()
    assert drawn() > second


def test_the_cone_is_drawn_only_on_request(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", {}, [result(40.0)])
    paths, _ = write_figures(results_in(tmp_path / "runs"), tmp_path / "timing.json", tmp_path, ["cone"])
    assert tmp_path / "cone.png" in paths


def test_what_can_be_drawn_is_written_twice_and_the_rest_is_accounted_for(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", {}, [result(40.0)])
    out = tmp_path / "out"
    out.mkdir()
    paths, notes = write_figures(results_in(tmp_path / "runs"), tmp_path / "timing.json", out)
    assert [path.name for path in paths] == ["cost.png", "cost.svg"]
    assert sorted([*paths, out / "figures.json"]) == sorted(out.iterdir())
    named = [note.split(":")[0] for note in notes]
    assert named == [
        f"figure {name}"
        for name in ("gates", "calibration", "similarities", "learning", "gallery", "frames", "latency")
    ]


def test_a_file_that_is_no_study_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "timing.json", {"rows": []})
    with pytest.raises(BenchError, match="run `bench time` again"):
        latency_figure(tmp_path / "timing.json")
