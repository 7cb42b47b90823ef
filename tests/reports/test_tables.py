"""The tables of a report: means and spreads over seeds, the leak gap, dashes for what does not exist."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run, result

from reports.collect import frame_of, read_runs
from reports.tables import Table, all_tables, gate_table, leak_table, number, rescoring_table, strata_table

SEEDS = {0: (40.0, 61.0), 1: (43.0, 60.0), 2: (38.5, 65.5)}
"""Seed -> R@1 leak-free and released."""


def row_of(table: Table, method: str, data: str = "avworld-tiny/test") -> dict[str, str]:
    (row,) = [row for row in table.rows if tuple(row[:2]) == (data, method)]
    return dict(zip(table.columns, row, strict=True))


@pytest.fixture
def three_seeds(tmp_path: Path) -> Any:
    for seed, (query, released) in SEEDS.items():
        entries = [result(query), result(released, condition="released"), result(query / 2, direction="v2t")]
        make_run(tmp_path, {"seeds.initialisation": seed}, entries, train_seconds=60.0 + seed)
    make_run(tmp_path, {}, [result(20.0, interval=(15.0, 27.0))], method="clip4clip")
    return frame_of(read_runs(tmp_path)[0])


def test_a_row_is_the_mean_over_seeds_with_their_deviation(three_seeds: Any) -> None:
    table = leak_table(three_seeds, "t2v")
    row = row_of(table, "GAID")
    query = np.array([value for value, _ in SEEDS.values()])
    released = np.array([value for _, value in SEEDS.values()])
    assert row["seeds"] == "3"
    assert row["R@1"] == f"{query.mean():.1f} ± {query.std(ddof=1):.1f}"
    assert row["R@5"] == f"{(query + 10).mean():.1f}"
    assert (row["MdR"], row["MnR"]) == ("3.5", "12.2")
    assert row["released R@1"] == f"{released.mean():.1f}"
    assert row["gap"] == f"{released.mean() - query.mean():+.1f}"
    assert (row["M params"], row["train s"], row["score s"]) == ("1.50", "61", "2.5")
    assert len(table.rows) == 2


def test_one_seed_shows_half_of_its_interval(three_seeds: Any) -> None:
    row = row_of(leak_table(three_seeds, "t2v"), "CLIP4Clip")
    assert (row["seeds"], row["R@1"]) == ("1", "20.0 ± 6.0")


def test_what_was_not_scored_is_a_dash(three_seeds: Any) -> None:
    row = row_of(leak_table(three_seeds, "t2v"), "CLIP4Clip")
    assert (row["released R@1"], row["gap"]) == ("–", "–")


def test_directions_do_not_mix(three_seeds: Any) -> None:
    table = leak_table(three_seeds, "v2t")
    assert table.title.startswith("Video-to-text")
    assert row_of(table, "GAID")["R@1"].startswith(f"{np.mean([q / 2 for q, _ in SEEDS.values()]):.1f} ±")
    assert len(table.rows) == 1


def test_a_run_scored_only_as_released_has_its_cost_and_no_leak_free_figure(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(70.0, condition="released", undefined=7)])
    table = leak_table(frame_of(read_runs(tmp_path)[0]), "t2v")
    row = row_of(table, "GAID")
    assert (row["seeds"], row["R@1"], row["MnR"], row["gap"]) == ("1", "–", "–", "–")
    assert row["released R@1"] == "70.0 (7 undefined)"
    assert (row["M params"], row["train s"]) == ("1.50", "61")
    assert any(note.startswith("undefined:") for note in table.notes)


def test_splits_and_configurations_have_rows_of_their_own(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(10.0), result(20.0, split="test-multi")])
    make_run(tmp_path, {"config.fusion": "sample"}, [result(30.0)])
    table = leak_table(frame_of(read_runs(tmp_path)[0]), "t2v")
    found = {(row[0], row[1]): row[3] for row in table.rows}
    assert found == {
        ("avworld-tiny/test", "GAID"): "10.0",
        ("avworld-tiny/test-multi", "GAID"): "20.0",
        ("avworld-tiny/test", "GAID (fusion=sample)"): "30.0",
    }


CEILINGS = {
    "avworld-tiny": {
        "test": {
            "pixels only": {"all": 50.0, "needed": 25.0, "silent": 100.0, "partial": 30.0},
            "everything": {"all": 99.5, "needed": 100.0, "silent": 100.0, "partial": 98.0},
        }
    }
}


def test_strata_stand_in_the_worlds_order_above_their_ceilings(tmp_path: Path) -> None:
    make_run(tmp_path, {"seeds.data": 0}, [result(40.0, strata={"silent": 90.0, "needed": 20.0})])
    make_run(tmp_path, {"seeds.data": 1}, [result(50.0, strata={"silent": 70.0, "needed": 30.0})])
    table = strata_table(frame_of(read_runs(tmp_path)[0]), CEILINGS)
    assert table is not None
    assert list(table.columns) == ["data", "method", "all", "needed", "silent"]
    assert [list(row) for row in table.rows] == [
        ["avworld-tiny/test", "GAID", "45.0", "25.0", "80.0"],
        ["avworld-tiny/test", "ceiling: pixels only", "50.0", "25.0", "100.0"],
        ["avworld-tiny/test", "ceiling: everything", "99.5", "100.0", "100.0"],
    ]


def test_no_strata_no_table(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0)])
    assert strata_table(frame_of(read_runs(tmp_path)[0]), CEILINGS) is None


def test_rescoring_stands_beside_the_plain_scores_with_what_it_uses(tmp_path: Path) -> None:
    entries = [result(40.0), result(44.0, rescoring="dsl"), result(42.0, rescoring="qb-norm")]
    entries += [result(30.0, direction="v2t"), result(31.0, direction="v2t", rescoring="dsl")]
    entries += [result(99.0, condition="released", rescoring="dsl")]
    make_run(tmp_path, {}, entries)
    table = rescoring_table(frame_of(read_runs(tmp_path)[0]))
    assert table is not None
    row = row_of(table, "GAID")
    assert [row[f"t2v {kind}"] for kind in ("none", "dsl", "qb-norm")] == ["40.0", "44.0", "42.0"]
    assert [row.get(f"v2t {kind}", "–") for kind in ("none", "dsl", "qb-norm")] == ["30.0", "31.0", "–"]
    assert [
        note.startswith(f"{kind}: what {kind} uses")
        for note, kind in zip(table.notes, ("dsl", "qb-norm"), strict=True)
    ]
    make_run(tmp_path / "plain", {}, [result(40.0)])
    assert rescoring_table(frame_of(read_runs(tmp_path / "plain")[0])) is None


def test_gates_average_over_seeds(tmp_path: Path) -> None:
    for seed, value in ((0, 0.9), (1, 0.8)):
        auroc = {"trained": {"audible": value, "within partial": 1.0}, "untrained": {"audible": 0.5}}
        make_run(tmp_path, {"seeds.data": seed}, [result(1.0)], gates={"test": {"auroc": auroc}})
    make_run(tmp_path, {}, [result(1.0)], method="clip4clip")
    table = gate_table(read_runs(tmp_path)[0])
    assert table is not None
    assert list(table.columns) == ["data", "method", "gate", "seeds", "audible", "within partial"]
    assert [list(row)[2:] for row in table.rows] == [
        ["trained", "2", "0.850", "1.000"],
        ["untrained", "2", "0.500", "–"],
    ]


def test_without_gates_there_is_no_table_of_them(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(1.0)])
    runs, _ = read_runs(tmp_path)
    assert gate_table(runs) is None
    assert [table.title for table in all_tables(frame_of(runs), runs, {})][:1] == ["Text-to-video, leak-free"]


@pytest.mark.parametrize(
    ("value", "text"), [(12.345, "12.3"), (float("nan"), "–"), (None, "–"), (0.0, "0.0")]
)
def test_a_figure_that_does_not_exist_is_a_dash(value: float, text: str) -> None:
    assert number(value) == text
