"""A published row matches a run only where every point of the protocol is stated and the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.matches import Match, matches_of
from reports.published import PublishedRow, published
from reports.results import SeededRows
from tests.made_runs import make_run, result
from tests.reports.made_results import results_under

AS_PUBLISHED: dict[str, Any] = {"recipe": "authors", "backbone": "ViT-B-32"}


@pytest.fixture(autouse=True)
def _on_msrvtt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the tiny world for MSR-VTT: only its name and sizes matter here."""
    names = {"MSR-VTT": "msrvtt", "avworld-tiny": "msrvtt"}
    monkeypatch.setattr("reports.matches.plain_name", lambda name: names.get(name, name))


def xpools_row(**changes: object) -> PublishedRow:
    """X-Pool's of GAID's first table, with ViT-B/32, in part changed."""
    (row,) = [
        row
        for row in published()
        if row.source_paper == "GAID arXiv:2508.01711v1"
        and (row.table, row.method, row.dataset, row.backbone) == ("1", "X-Pool", "MSR-VTT", "CLIP ViT-B/32")
    ]
    return row.model_copy(update=changes)


def xpools_cell(
    root: Path, settings: dict[str, Any] | None = None, test_set: str = "1k-A", **manifest: Any
) -> SeededRows:
    """A run of X-Pool as its released code trains, but for some settings."""
    entry = result(45.0, queries=1000)
    entry["protocol"]["data"] = {"test set": test_set}
    given = {"text_length": 77, "training_videos": 9000} | manifest
    make_run(root, AS_PUBLISHED | (settings or {}), [entry], method="xpool", **given)
    (cell,) = results_under(root).cells()
    return cell


def matched(row: PublishedRow, cell: SeededRows, monkeypatch: pytest.MonkeyPatch) -> Match:
    monkeypatch.setattr("reports.matches.published", lambda: [row])
    (match,) = matches_of(cell)
    return match


def test_a_run_by_the_released_recipe_matches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    match = matched(xpools_row(), xpools_cell(tmp_path), monkeypatch)
    assert (match.verdict, dict(match.differs), match.unstated) == ("matches", {}, [])


@pytest.mark.parametrize(
    ("point", "changes", "settings", "others"),
    [
        ("split", {}, {}, {"test_set": "full"}),
        ("gallery", {"gallery": 990}, {}, {}),
        ("training videos", {}, {}, {"training_videos": 8550}),
        ("backbone", {"backbone": "CLIP ViT-B/16"}, {}, {}),
        ("sound", {"modality": "A+V+T"}, {}, {}),
        ("frames", {}, {"frames": 6}, {}),
        ("frame sampling", {}, {"frame_sampling": "one-per-second"}, {}),
        ("text length", {}, {}, {"text_length": 40}),
        ("resize", {}, {"data.resize": "antialiased"}, {}),
        ("epochs", {}, {"training.epochs": 1}, {}),
        ("captions", {}, {"training.captions": "first"}, {}),
        ("batch size", {}, {"training.batch_size": 16}, {}),
        ("selection", {}, {"training.selection": "val"}, {}),
        ("selection", {"table": "epoch 2"}, {}, {}),
        ("condition", {"condition": "released"}, {}, {}),
        ("tie tolerance", {}, {"evaluation.tie_tolerance": 1e-6}, {}),
        ("scored clips", {}, {"evaluation.picture": "blank"}, {}),
        ("other settings", {}, {"training.lr_new": 1e-2}, {}),
        ("other settings", {}, {"data.reader": "own"}, {}),
    ],
)
def test_one_point_that_differs_is_no_match(
    point: str,
    changes: dict[str, Any],
    settings: dict[str, Any],
    others: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    match = matched(xpools_row(**changes), xpools_cell(tmp_path, settings, **others), monkeypatch)
    assert list(match.differs) == [point]
    assert match.verdict.startswith(f"differs: {point} ")


def test_another_number_of_queries_is_no_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.matches.NAMED_SETS", {"1k-A": 500})
    match = matched(xpools_row(), xpools_cell(tmp_path), monkeypatch)
    assert match.verdict == "differs: queries 500 (here 1000)"


def test_weights_from_other_data_are_no_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = xpools_cell(tmp_path)
    (row,) = cell.rows
    moved = replace(row.run, spec=row.run.spec.model_copy(update={"trained_on": "didemo"}))
    match = matched(xpools_row(), replace(cell, rows=[replace(row, run=moved)]), monkeypatch)
    assert match.verdict == "differs: trained on msrvtt (here didemo)"


@pytest.mark.parametrize(
    ("points", "changes"),
    [
        (["gallery"], {"gallery": None}),
        (["training videos"], {"training_videos": None}),
        (["split", "queries"], {"split": ""}),
        (["split", "queries"], {"split": "test split not specified in paper"}),
        (["backbone"], {"backbone": "CLIP ViT-B/32 [guess]"}),
        (["sound"], {"modality": ""}),
    ],
)
def test_a_point_that_is_not_stated_is_no_match(
    points: list[str], changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    match = matched(xpools_row(**changes), xpools_cell(tmp_path), monkeypatch)
    assert match.verdict == f"partly; not stated: {', '.join(points)}"


def test_what_others_trained_with_is_not_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    match = matched(xpools_row(evidence="reproduction"), xpools_cell(tmp_path), monkeypatch)
    assert match.differs == {}
    assert {"frames", "epochs", "batch size", "selection", "condition", "tie policy"} <= set(match.unstated)
    assert "gallery" not in match.unstated
