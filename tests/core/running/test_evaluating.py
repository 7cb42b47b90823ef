"""A finished run, scored elsewhere: cells of its own, what they say, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.datasets.media_folder import videos_in
from core.errors import BenchError
from core.progress import Silent
from core.resolving import resolve
from core.running.cells import RunInputs
from core.running.evaluating import AskedEvaluation, evaluate_run, evaluated_specs
from core.running.seen import declared_seen, declares
from core.runs import RunDirectory
from reports.collect import Run, read_run
from reports.report import evaluated_tables
from reports.results import Results

GAID = resolve("gaid", "avworld-tiny", {})


@pytest.fixture(scope="module")
def distractors(materials: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of the training split, and one file that does not decode."""
    folder = tmp_path_factory.mktemp("distractors")
    for number, video in enumerate(materials.dataset.splits["train"].videos[:3]):
        (folder / f"{number}.mp4").symlink_to(video.path)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def evaluated(
    trained_run: RunDirectory, distractors: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Run]:
    """As it is, muted, and among distractors."""
    root = tmp_path_factory.mktemp("evaluated")
    sweep = AskedEvaluation(settings=["evaluation.audio=muted,as-is"])
    more = AskedEvaluation(settings=[f'evaluation.distractors="{distractors}"'])
    asked = (sweep, more)
    folders = [d for one in asked for d in evaluate_run(trained_run.path, one, root, Silent())]
    assert evaluate_run(trained_run.path, sweep, root, Silent()) == folders[:2]
    return [read_run(directory) for directory in folders]


def test_as_it_is_a_run_scores_what_it_has_scored(evaluated: list[Run], trained_run: RunDirectory) -> None:
    before, after = (
        pd.read_parquet(folder / "queries.parquet")
        for folder in (trained_run.path, evaluated[0].directory.path)
    )
    pd.testing.assert_frame_equal(before, after)


def test_its_protocol_says_what_it_was_trained_on_and_what_was_changed(evaluated: list[Run]) -> None:
    protocols = [run.directory.read_json("metrics.json")["results"][0]["protocol"] for run in evaluated]
    assert [p["trained_on"] for p in protocols] == ["avworld-tiny"] * 3
    assert [p["audio"] for p in protocols] == ["as-is", "muted", "as-is"]
    assert "3 in test, 3 in test-multi; 1 left out that did not decode" in protocols[2]["data"]["distractors"]
    assert protocols[2]["gallery"] == protocols[0]["gallery"] + 3
    prints = {run.manifest.fingerprints["weights"] for run in evaluated}
    assert len(prints) == 1


def test_the_tables_compare_conditions_and_show_the_curve(evaluated: list[Run]) -> None:
    tables = {table.title: table for table in evaluated_tables(evaluated)}
    changed = tables["R@1 as is and with changed sound or pictures"]
    rows = [row for row in changed.rows if "multi" not in row[0]]
    assert [row[2] for row in rows] == ["as is", "without sound"]
    figures = [float(row[4]) for row in rows]
    assert float(rows[1][5]) == pytest.approx(figures[1] - figures[0], abs=0.11)
    curve = tables["R at K over the size of the gallery"]
    points = [row for row in curve.rows if "multi" not in row[0]]
    sizes = [int(row[2].replace(",", "")) for row in points]
    assert sizes[-1] - sizes[0] == 3
    recalls = [float(row[3]) for row in points]
    assert recalls == sorted(recalls, reverse=True)


def test_what_muting_takes_away_is_shown_per_stratum(evaluated: list[Run]) -> None:
    tables = {table.title: table for table in evaluated_tables(evaluated)}
    table = tables["What changed sound or pictures do to R@1, per stratum"]
    (row,) = (row for row in table.rows if "multi" not in row[0])
    shown = dict(zip(table.columns, row, strict=True))
    assert shown["condition"] == "without sound"
    plain, muted = (run.directory.read_json("metrics.json")["results"][0]["strata"] for run in evaluated[:2])
    assert list(plain) == [name for name in table.columns[4:] if name in plain]
    for stratum, before in plain.items():
        delta = shown[stratum].split(" ")[0]
        assert float(delta) == pytest.approx(muted[stratum] - before, abs=0.051)
    assert plain != muted


def test_a_curve_that_needs_more_memory_than_there_is_is_left_out_with_a_line(
    trained_run: RunDirectory, distractors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("evaluation", "split_scores"):
        monkeypatch.setattr(f"core.evaluation.{module}.fits", lambda *_: False)
    said: list[str] = []
    monkeypatch.setattr(Silent, "say", lambda self, line, *_: said.append(line))
    settings = [f'evaluation.distractors="{distractors}"', 'evaluation.rescoring=["none"]']
    (folder,) = evaluate_run(trained_run.path, AskedEvaluation(settings=settings), tmp_path, Silent())
    assert any("test: the curve over the gallery's size is left out" in line for line in said)
    tables = {table.title for table in evaluated_tables([read_run(folder)])}
    assert "R at K over the size of the gallery" not in tables


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (AskedEvaluation(settings=["training.epochs=3"]), "changes how a run is trained"),
        (
            AskedEvaluation(settings=["evaluation.adio=muted"]),
            r"'evaluation\.adio'; did you mean 'evaluation\.audio'",
        ),
        (
            AskedEvaluation(settings=["evaluation.audio=silent"]),
            r"--set evaluation\.audio: Input should be 'as-is', 'muted'.*given 'silent'",
        ),
        (AskedEvaluation(dataset="msrvttt"), "unknown dataset 'msrvttt'; did you mean 'msrvtt'"),
    ],
)
def test_what_cannot_be_asked_is_one_line(asked: AskedEvaluation, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        evaluated_specs(GAID, asked)


def test_sound_is_changed_of_methods_that_hear_alone() -> None:
    asked = AskedEvaluation(settings=["evaluation.audio=muted"])
    with pytest.raises(BenchError, match="clip4clip hears nothing"):
        evaluated_specs(resolve("clip4clip", "avworld-tiny", {}), asked)


def test_another_data_set_keeps_how_videos_are_read_and_has_its_own_test_split() -> None:
    run = resolve("gaid", "avworld-tiny", {"data.resize": "tensor", "evaluation.splits": ["val"]})
    (found,) = evaluated_specs(run, AskedEvaluation(dataset="msrvtt", settings=["data.missing=drop"]))
    assert (found.dataset, found.trained_on, found.evaluation.splits) == ("msrvtt", "avworld-tiny", ("test",))
    assert (found.data["resize"], found.data["missing"]) == ("tensor", "drop")
    assert found.training == run.training


@pytest.mark.parametrize(
    ("said", "dataset", "split", "expected"),
    [
        ("WebVid-2.5M and MSR-VTT", "msrvtt", "test", True),
        ("LSMDC, training split", "lsmdc", "test", False),
        ("the training split of avworld", "avworld", "train", True),
        ("the training split of avworld", "avworld", "test", False),
        ("avworld", "avworld-tiny", "test", False),
        ("LibriSpeech, 960 hours", "didemo", "test", False),
    ],
)
def test_a_declaration_names_a_data_set(said: str, dataset: str, split: str, expected: bool) -> None:
    assert declares(said, dataset, split) is expected


def test_a_run_scored_on_its_training_split_is_marked(
    evaluated: list[Run], trained_run: RunDirectory, tmp_path: Path
) -> None:
    (spec,) = evaluated_specs(trained_run.read_spec(), AskedEvaluation(split="train"))
    assert "the run was trained on this split" in declared_seen(spec)
    (directory,) = evaluate_run(trained_run.path, AskedEvaluation(split="train"), tmp_path, Silent())
    results = Results.of([read_run(directory)])
    assert results.runs[0].label.endswith(" (!)")
    assert any("the test set is in the training data" in note for note in results.notes)
    assert not any(run.label.endswith(" (!)") for run in Results.of(evaluated).runs)


def test_a_folder_is_walked_for_videos(distractors: Path, tmp_path: Path) -> None:
    videos, others = videos_in(distractors, "--distractors")
    assert ([video.id for video in videos], others) == (["0.mp4", "1.mp4", "2.mp4", "broken.mp4"], 0)


def test_the_command_prints_what_it_has_scored(
    invoke: Callable[..., Any], trained_run: RunDirectory, evaluated: list[Run]
) -> None:
    root = evaluated[0].directory.path.parent
    result = invoke("evaluate", trained_run.path, "--set", "evaluation.audio=as-is,muted", "--runs", root)
    assert result.exit_code == 0
    assert "without sound" in result.stdout
