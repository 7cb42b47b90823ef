"""Published facts are well formed, and stand beside the runs that answer to them, and to no others."""

from pathlib import Path
from typing import Any

import pytest

from core.assignments import parse_assignment
from core.errors import BenchError
from core.registry import registered_methods
from core.resolving import resolve
from reports.against_published import published_table
from reports.collect import read_runs
from reports.published import (
    PublishedRow,
    ReleasedProtocol,
    footnotes,
    published,
    read_csv,
    released_protocol,
)
from reports.results import Results
from reports.table import Table
from tests.made_runs import make_run, result

GAID = "GAID arXiv:2508.01711v1"


def test_every_row_that_names_a_method_here_can_be_run() -> None:
    answered = [row for row in published() if row.run_method]
    gaids_tables = {"gaid", "tmass", "xpool", "avigate", "clip4clip"}
    assert {row.run_method for row in answered} == gaids_tables | {"drl", "xclip", "uatvr", "emcl"}
    for row in answered:
        resolve(
            row.run_method, "avworld", dict(parse_assignment(s) for s in row.run_settings.split(";") if s)
        )


def test_every_built_in_method_with_a_published_row_has_a_released_protocol() -> None:
    for name in registered_methods():
        if any(row.run_method == name for row in published()):
            assert released_protocol(name, "MSR-VTT") is not None
    wider = released_protocol("clip4clip", "DiDeMo")
    assert wider is not None
    assert (wider.frames, wider.text_length) == (64, 64)


def test_the_headline_rows_are_those_of_the_papers() -> None:
    (row,) = [
        r
        for r in published()
        if (r.source_paper, r.table, r.method, r.dataset, r.backbone, r.post_processing)
        == (GAID, "1", "GAID", "MSR-VTT", "CLIP ViT-B/32", "none")
    ]
    assert (row.r1, row.r5, row.r10, row.mdr, row.mnr) == (55.0, 83.0, 89.9, 1.0, 7.7)
    assert sum(row.source_paper.startswith("CAE-AV") for row in published()) == 4


def test_every_footnote_concerns_a_row_that_is_there() -> None:
    for note in footnotes():
        assert any(note.concerns(row) for row in published()), note.text
    nine = [note for note in footnotes() if note.source == GAID and note.tables == ("9",)]
    assert len(nine) == 3


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("r1", "550", "r1"),
        ("direction", "text", "direction"),
        ("r5", "12.0", "R@K falls as K grows"),
        ("gallery", "many", "gallery"),
        ("evidence", "hearsay", "evidence"),
    ],
)
def test_a_bad_row_is_named_with_its_line(column: str, value: str, words: str, tmp_path: Path) -> None:
    row = published()[0].model_dump() | {"r1": 43.1, "r5": 70.4}
    cells = {key: "" if cell is None else str(cell) for key, cell in row.items()}
    lines = [",".join(cells), ",".join(f'"{c}"' for c in (cells | {column: value}).values())]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(BenchError, match="rows.csv, line 2") as error:
        read_csv(tmp_path / "rows.csv", PublishedRow)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_protocol_is_none() -> None:
    assert released_protocol("a method of one's own", "MSR-VTT") is None
    assert all(isinstance(released_protocol(m, ""), ReleasedProtocol) for m in ("gaid", "xpool"))


def table_of(root: Path) -> Table | None:
    runs, _ = read_runs(root)
    return published_table(Results.of(runs))


def as_rows(table: Table | None) -> list[dict[str, str]]:
    assert table is not None
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def on_msrvtt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the tiny world for MSR-VTT: only its name and sizes matter here."""
    monkeypatch.setattr(
        "reports.matches.plain_name",
        lambda name: "msrvtt" if name in ("MSR-VTT", "avworld-tiny") else name,
    )


def test_another_data_set_has_no_published_rows(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0), result(60.0, condition="released")])
    assert table_of(tmp_path) is None


def test_footnotes_are_marked_by_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_msrvtt(monkeypatch)
    make_run(tmp_path, {}, [result(40.0), result(60.0, condition="released")])
    table = table_of(tmp_path)
    marked = [row["published"] for row in as_rows(table) if "[" in row["published"]]
    assert marked
    assert table is not None
    known = {note.split("]")[0] + "]" for note in table.notes if note.startswith("[")}
    for text in marked:
        marks = text[text.index("[") + 1 : text.index("]")].split(", ")
        assert {f"[{mark}]" for mark in marks} <= known
        assert [int(mark) for mark in marks] == sorted(int(mark) for mark in marks)


def test_a_figure_under_another_tie_policy_says_so_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_msrvtt(monkeypatch)
    make_run(tmp_path, {}, [result(40.0)], method="clip4clip")
    assert {row["ties"] for row in as_rows(table_of(tmp_path))} == {"clip4clip"}


def test_an_ablation_answers_to_its_own_row_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_msrvtt(monkeypatch)
    make_run(tmp_path, {"config.fusion": "sample"}, [result(40.0, condition="released")])
    (row,) = as_rows(table_of(tmp_path))
    assert row["source"] == "GAID, 5: GAID ablation: Sample-level gate (paper)"
    make_run(tmp_path / "other", {"config.alpha": 0.25}, [result(40.0)])
    assert table_of(tmp_path / "other") is None


def test_on_the_same_data_set_the_difference_stands_beside_what_could_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_msrvtt(monkeypatch)
    same: dict[str, Any] = {"text_length": 77, "training_videos": 9000}
    overrides = {"recipe": "authors", "backbone": "ViT-B-32"}
    entry = result(45.0, queries=1000)
    entry["protocol"]["data"] = {"test set": "1k-A"}
    make_run(tmp_path, overrides, [entry], method="xpool", **same)
    rows = as_rows(table_of(tmp_path))
    papers = [row for row in rows if row["source"] == "GAID, 1: X-Pool (paper)"]
    small, large = sorted(papers, key=lambda row: row["published"])
    assert small["published"].startswith("46.9 / 72.8 / 82.2")
    assert small["protocol compared"] == "matches"
    assert small["delta"].split(" / ")[0] == "-1.9"
    # 2.80 * sqrt(45 * 55 / 999 + 46.9 * 53.1 / 1000)
    assert float(small["detectable"].split(" / ")[0]) == pytest.approx(6.25, abs=0.06)
    assert large["protocol compared"] == "differs: backbone ViT-B-16 (here ViT-B-32)"
    readme = next(row for row in rows if "39.9" in row["published"] or "43.9" in row["published"])
    assert "training videos 7010 (here 9000)" in readme["protocol compared"]
    assert "not stated: split, queries, gallery" in readme["protocol compared"]


def test_leak_free_and_released_scores_both_stand_beside_a_leaky_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_msrvtt(monkeypatch)
    make_run(tmp_path, {}, [result(40.0), result(52.0, condition="released")])
    rows = [row for row in as_rows(table_of(tmp_path)) if row["source"] == "GAID, 1: GAID (paper)"]
    verdicts = {row["protocol"]: row["protocol compared"] for row in rows}
    assert "condition released (here leak-free)" in verdicts["t2v leak-free none"]
    assert "condition" not in verdicts["t2v released none"]
