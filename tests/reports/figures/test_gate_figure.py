"""The picture of the gate: a typical clip per stratum, drawn from the run and the clips it was made on."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import pytest
import torch
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from safetensors.torch import save_file

from core.errors import BenchError
from core.evaluation.gates import frame_truth
from core.running.cells import RunInputs
from reports.collect import Run, read_run
from reports.figures.gates import first_gate_figure, gate_figure, typical_clip
from reports.figures.spectrogram import BANDS
from reports.figures.style import save
from reports.figures.write import write_figures
from reports.results import Results
from reports.stores import store_of
from tests.made_runs import make_run, result

pytestmark = pytest.mark.slow

AUROC = {"test": {"auroc": {"trained": {"partial": 0.9, "within partial": 0.9}}}}


@pytest.fixture
def run(materials: RunInputs, tmp_path: Path) -> Run:
    """A run whose gate follows the truth, more or less."""
    directory, _ = make_run(
        tmp_path,
        {},
        [result(1.0)],
        gates=AUROC,
        fingerprints={"dataset": materials.dataset.fingerprint},
        store=materials.store.folder.name,
    )
    split = materials.dataset.splits["test"]
    assert split.truth is not None
    truth = torch.tensor([frame_truth(record, 4.0, 12) for record in split.truth])
    noise = torch.rand(truth.shape, generator=torch.Generator().manual_seed(0))
    tensors = {
        "test/audible": torch.ones(len(truth)).bool(),
        "test/gates": 0.6 * truth + 0.4 * noise,
        "test/truth": truth,
        "test/video": torch.arange(len(truth)),
    }
    save_file(tensors, directory.path / "gates.safetensors")
    return read_run(directory)


def mixed_strata(materials: RunInputs) -> list[str]:
    """The strata of the test clips in which the sound matters for some frames and not for others."""
    split = materials.dataset.splits["test"]
    assert split.truth is not None
    found = [r.stratum for r in split.truth if len(set(frame_truth(r, 4.0, 12))) == 2]
    return list(dict.fromkeys(found))


def test_the_figure_has_a_column_per_stratum_with_frames_sound_spectrogram_and_gate(
    run: Run, materials: RunInputs
) -> None:
    strata = mixed_strata(materials)
    assert "partial" in strata
    figure = gate_figure(run)
    axes = [axis for axis in figure.axes if axis.has_data()]
    assert len(axes) == 4 * len(strata)
    strips, waves, bands, curves = (axes[i * len(strata) : (i + 1) * len(strata)] for i in range(4))
    split = materials.dataset.splits["test"]
    assert split.truth is not None
    stratum_of = {v.id: record.stratum for v, record in zip(split.videos, split.truth, strict=True)}
    shown = [axis.get_title(loc="left").split(":")[0] for axis in strips]
    assert [stratum_of[name] for name in shown] == strata
    for strip, wave, band, curve in zip(strips, waves, bands, curves, strict=True):
        assert strip.images[0].get_array().shape[1] == 12 * materials.clip.image_size
        assert len(wave.lines[0].get_xdata()) == 64_000
        assert band.images[0].get_array().shape == (BANDS, 401)
        assert band.get_xlim() == curve.get_xlim() == wave.get_xlim() == strip.get_xlim() == (0.0, 4.0)
        assert curve.get_ylim() == (0.0, 1.0)


def test_the_marked_spans_are_the_true_ones(run: Run, materials: RunInputs) -> None:
    figure = gate_figure(run)
    split = materials.dataset.splits["test"]
    assert split.truth is not None
    truth_of = {v.id: record for v, record in zip(split.videos, split.truth, strict=True)}
    columns = len(mixed_strata(materials))
    for strip, curve in zip(figure.axes[:columns], figure.axes[3 * columns :], strict=True):
        name = strip.get_title(loc="left").split(":")[0]
        spans = [patch for patch in curve.patches if isinstance(patch, Rectangle)]
        drawn = [(span.get_x(), span.get_x() + span.get_width()) for span in spans]
        assert drawn == [pytest.approx(span) for span in truth_of[name].relevant]


def test_captions_stay_over_their_own_column(run: Run, materials: RunInputs) -> None:
    figure = gate_figure(run)
    figure.canvas.draw()
    strips = figure.axes[: len(mixed_strata(materials))]
    for strip in strips:
        words = strip.get_title(loc="left")
        (title,) = [text for text in strip.findobj(Text) if text.get_text() == words]
        assert title.get_window_extent().x1 <= strip.get_window_extent().x1 + 1


def test_the_picture_is_a_png_that_one_can_read_and_an_svg(run: Run, tmp_path: Path) -> None:
    figure = first_gate_figure([run])
    assert not isinstance(figure, str)
    paths = save(figure, "gates", tmp_path)
    assert paths == [tmp_path / "gates.png", tmp_path / "gates.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    height, width = matplotlib.image.imread(paths[0]).shape[:2]
    assert 400 <= height <= 1200
    assert 800 <= width <= 4000
    assert ElementTree.parse(paths[1]).getroot().tag.endswith("svg")
    assert not list(tmp_path.glob(".*.part"))


def test_every_axis_of_every_panel_has_a_name_and_time_is_written_under_each(run: Run) -> None:
    figure = gate_figure(run)
    figure.canvas.draw()
    for axis in figure.axes:
        assert axis.get_ylabel() and axis.get_xlabel() == "seconds"
        assert [label for label in axis.get_xticklabels() if label.get_visible() and label.get_text()]


def test_the_figure_says_whether_the_sign_of_a_gate_means_anything_and_cuts_none(run: Run) -> None:
    assert "has no sign" in gate_figure(run).get_supxlabel()
    gates = run.gates["test"]
    turned = replace(run, gates={"test": replace(gates, values=gates.values * 2.5 - 1.5)})
    figure = gate_figure(turned)
    assert "no meaning of its own" in figure.get_supxlabel()
    curve = figure.axes[-1]
    low, high = curve.get_ylim()
    assert low <= float(turned.gates["test"].values.min()) and high >= float(
        turned.gates["test"].values.max()
    )
    assert f"({low:g} to {high:g})" in curve.get_ylabel()


def test_a_store_of_the_same_content_under_another_name_serves(run: Run, materials: RunInputs) -> None:
    renamed = run.manifest.model_copy(
        update={"store": "avworld-tiny-elsewhere", "fingerprints": materials.fingerprints()}
    )
    assert store_of(replace(run, manifest=renamed)).fingerprint == materials.store.fingerprint
    unknown = renamed.model_copy(update={"fingerprints": {**materials.fingerprints(), "store": "other"}})
    with pytest.raises(BenchError, match="avworld-tiny-elsewhere is .*run `bench data prepare avworld-tiny`"):
        store_of(replace(run, manifest=unknown))


def test_a_figure_that_was_left_out_is_drawn_once_its_data_are_prepared(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, study = Results.of([run]), tmp_path / "timing.json"
    with monkeypatch.context() as context:
        context.setattr("reports.stores.store_folder", lambda name: tmp_path / "gone" / name)
        context.setattr("reports.stores.cache_root", lambda: tmp_path / "gone")
        paths, left_out = write_figures(results, study, tmp_path)
        (why,) = [line for line in left_out if line.startswith("figure gates:")]
        assert "bench data prepare avworld-tiny" in why and tmp_path / "gates.png" not in paths
    paths, left_out = write_figures(results, study, tmp_path)
    assert tmp_path / "gates.png" in paths
    assert not [line for line in left_out if line.startswith("figure gates:")]


def test_the_typical_clip_has_the_median_auroc() -> None:
    truth = torch.tensor([[1, 1, 0, 0]] * 3).bool()
    gates = torch.tensor([[0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.5, 0.2], [0.1, 0.2, 0.8, 0.9]])
    assert typical_clip(gates, truth, [0, 1, 2]) == 1


def test_a_run_whose_gate_moves_goes_before_one_whose_gate_does_not(run: Run) -> None:
    gates = run.gates["test"]
    constant = replace(gates, values=torch.full_like(gates.values, 0.5))
    still = replace(run, gates={"test": constant}, label="still")
    figure = first_gate_figure([still, run])
    assert not isinstance(figure, str)
    assert figure.get_suptitle().startswith("GAID on")
    alone = first_gate_figure([still])
    assert not isinstance(alone, str)
    assert alone.get_suptitle().startswith("still on")


def test_a_run_without_a_gate_per_frame_or_on_other_data_gives_no_picture(run: Run) -> None:
    gates = run.gates["test"]
    per_layer = replace(gates, scores=gates.scores.model_copy(update={"axis": "layer"}))
    assert "no run" in str(first_gate_figure([replace(run, gates={"test": per_layer})]))
    elsewhere = run.manifest.model_copy(update={"fingerprints": {"dataset": "another world"}})
    assert "no run" in str(first_gate_figure([replace(run, manifest=elsewhere)]))
