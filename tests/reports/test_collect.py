"""Which runs may stand in one table, and under which name."""

import shutil
from pathlib import Path

import pytest

from core.errors import BenchError
from core.resolving import resolve
from core.runs import RunDirectory, write_json
from core.spec import dotted
from reports.collect import read_run, read_runs
from reports.results import Results
from tests.made_runs import make_run, result


def test_a_flat_spec_has_a_dotted_key_per_field() -> None:
    spec = resolve("gaid", "avworld", {"training.epochs": 3})
    keys = dotted(spec)
    assert keys["training.epochs"] == 3
    assert keys["method"] == "gaid"
    assert not any(isinstance(value, dict) for key, value in keys.items() if key != "training.lr_factors")


def test_results_have_a_row_per_protocol_with_the_measures_of_random_ties(tmp_path: Path) -> None:
    entries = [result(40.0), result(55.0, condition="released"), result(30.0, direction="v2t")]
    make_run(tmp_path, {"seeds.initialisation": 4}, entries)
    runs, notes = read_runs(tmp_path)
    results = Results.of(runs)
    assert notes == []
    assert [row.figure() for row in results.rows] == pytest.approx([40.0, 55.0, 30.0])
    assert [row.protocol.condition for row in results.rows] == ["leak-free", "released", "leak-free"]
    assert [row.protocol.direction for row in results.rows] == ["t2v", "t2v", "v2t"]
    assert {row.run.label for row in results.rows} == {"GAID"}
    (released,) = results.select(condition="released")
    assert released.figure() == pytest.approx(55.0)
    assert [row.protocol.direction for row in results.select(condition="leak-free")] == ["t2v", "v2t"]
    assert results.select(condition="leak-free", direction="v2t", rescoring="dsl") == []


def test_unfinished_damaged_and_foreign_runs_are_left_out_by_name(tmp_path: Path) -> None:
    kept, _ = make_run(tmp_path, {}, [result(1.0)])
    running, _ = make_run(tmp_path, {"frames": 6}, [result(2.0)])
    running.set_status("running")
    damaged, _ = make_run(tmp_path, {"frames": 7}, [result(3.0)])
    (damaged.path / "metrics.json").write_text('{"results": [')
    lacking, _ = make_run(tmp_path, {"frames": 8}, [result(4.0)])
    write_json(lacking.path / "manifest.json", {})
    foreign, _ = make_run(tmp_path, {"frames": 9}, [result(5.0)])
    write_json(foreign.path / "status.json", {"state": "done", "schema": 99})
    strange, _ = make_run(tmp_path, {"frames": 10}, [result(6.0)])
    write_json(strange.path / "spec.json", {"method": "gaid", "no such field": 1})
    gone, _ = make_run(tmp_path, {"frames": 11}, [result(7.0)])
    spec = gone.read_json("spec.json")
    write_json(gone.path / "spec.json", {**spec, "method": "gaid9000"})
    runs, notes = read_runs(tmp_path)
    assert [run.directory for run in runs] == [kept]
    assert len(notes) == 6
    for directory, words in [
        (running, "running; the same `bench run` continues it"),
        (damaged, "metrics.json is damaged"),
        (lacking, "manifest.json is damaged (started: Field required)"),
        (foreign, "schema 99"),
        (strange, "spec.json is no spec of this version"),
    ]:
        assert [note for note in notes if words in note and directory.path.name in note], words
    assert any("unknown method 'gaid9000'" in note for note in notes)
    assert not any("\n" in note for note in notes)


def test_a_run_that_lacks_a_file_is_named(tmp_path: Path) -> None:
    directory, _ = make_run(tmp_path, {}, [result(1.0)])
    (directory.path / "metrics.json").unlink()
    with pytest.raises(BenchError, match=r"metrics\.json"):
        read_run(directory)


def test_runs_on_older_data_are_no_further_seeds(tmp_path: Path) -> None:
    old = {"dataset": "old world", "features": "f"}
    new = {"dataset": "new world", "features": "f"}
    make_run(
        tmp_path, {"seeds.noise": 1}, [result(9.0)], fingerprints=old, started="2026-01-01T10:00:00+00:00"
    )
    make_run(tmp_path, {"frames": 6}, [result(9.0)], fingerprints=old, started="2026-01-01T11:00:00+00:00")
    kept, _ = make_run(tmp_path, {}, [result(1.0)], fingerprints=new, started="2026-01-02T10:00:00+00:00")
    runs, notes = read_runs(tmp_path)
    assert [run.directory for run in runs] == [kept]
    assert sum("other data or weights" in note for note in notes) == 2


def test_runs_under_other_options_of_the_data_stand_side_by_side(tmp_path: Path) -> None:
    whole, fewer = {"dataset": "whole", "features": "f"}, {"dataset": "without two clips", "features": "g"}
    make_run(tmp_path, {"data.missing": "drop"}, [result(9.0, gallery="98")], fingerprints=fewer)
    make_run(
        tmp_path,
        {"data.missing": "count-as-miss"},
        [result(8.0, gallery="100")],
        fingerprints=whole,
        started="2026-01-02",
    )
    make_run(tmp_path, {"frames": 6}, [result(7.0, gallery="100")], fingerprints=whole, started="2026-01-03")
    runs, notes = read_runs(tmp_path)
    assert notes == []
    found = {(row.run.label, row.data) for row in Results.of(runs).rows}
    assert found == {
        ("GAID (data.missing=drop)", "avworld-tiny/test #98"),
        ("GAID (data.missing=count-as-miss)", "avworld-tiny/test #100"),
        ("GAID (frames=6)", "avworld-tiny/test #100"),
    }


def test_runs_on_an_older_annotation_file_are_left_out_whatever_their_options(tmp_path: Path) -> None:
    def files(digest: str) -> dict[str, str]:
        return {"captions.csv": digest}

    make_run(tmp_path, {"data.missing": "drop"}, [result(9.0)], annotation_files=files("old"))
    kept, _ = make_run(
        tmp_path, {}, [result(8.0)], annotation_files=files("new"), started="2026-01-02T00:00:00+00:00"
    )
    runs, notes = read_runs(tmp_path)
    assert [run.directory for run in runs] == [kept]
    assert "other data or weights" in notes[0]


def test_each_seed_that_was_scored_again_has_trained_weights_of_its_own(tmp_path: Path) -> None:
    def made(seed: int, weights: str, day: int) -> RunDirectory:
        prints = {"dataset": "world", "features": "f", "weights": weights}
        changes = {"seeds.initialisation": seed, "evaluation.audio": "muted"}
        day_of = f"2026-01-0{day}T10:00:00+00:00"
        return make_run(tmp_path, changes, [result(1.0 + seed)], fingerprints=prints, started=day_of)[0]

    made(0, "trained before", 1)
    kept = {made(0, "trained last", 2), made(1, "of seed 1", 3)}
    runs, notes = read_runs(tmp_path)
    assert {run.directory for run in runs} == kept
    assert len({run.label for run in Results.of(runs).runs}) == 1
    (note,) = notes
    assert "other data or weights" in note


def test_runs_with_older_weights_are_no_further_seeds_but_other_labels_may_have_their_own(
    tmp_path: Path,
) -> None:
    def fingerprints(features: str) -> dict[str, str]:
        return {"dataset": "world", "features": features}

    make_run(
        tmp_path, {"seeds.noise": 1}, [result(9.0)], fingerprints=fingerprints("old"), started="2026-01-01"
    )
    make_run(tmp_path, {}, [result(1.0)], fingerprints=fingerprints("new"), started="2026-01-02")
    make_run(
        tmp_path, {"frames": 6}, [result(2.0)], fingerprints=fingerprints("of six"), started="2026-01-01"
    )
    runs, notes = read_runs(tmp_path)
    assert sorted(round(row.figure(), 6) for row in Results.of(runs).rows) == [1.0, 2.0]
    assert len(notes) == 1


def test_a_folder_without_runs_gives_none(tmp_path: Path) -> None:
    assert read_runs(tmp_path) == ([], [])
    assert read_runs(tmp_path / "nowhere") == ([], [])


def test_a_copied_folder_is_no_further_seed(tmp_path: Path) -> None:
    kept, _ = make_run(tmp_path, {}, [result(1.0)], started="2026-01-02")
    shutil.copytree(kept.path, tmp_path / "copy")
    write_json(
        tmp_path / "copy" / "manifest.json", {**kept.read_json("manifest.json"), "started": "2026-01-01"}
    )
    runs, notes = read_runs(tmp_path)
    assert [run.directory for run in runs] == [kept]
    assert notes == [f"copy: the same cell as {kept.path.name}; delete one of the two folders"]


def test_seeds_of_two_codes_are_two_rows_that_name_their_code(tmp_path: Path) -> None:
    def prints(code: str) -> dict[str, str]:
        return {"dataset": "world", "features": "f", "code": code * 64}

    for seed, code in enumerate("aab"):
        make_run(tmp_path, {"seeds.noise": seed}, [result(9.0)], fingerprints=prints(code))
    make_run(tmp_path, {"frames": 6}, [result(9.0)], fingerprints=prints("c"))
    runs, notes = read_runs(tmp_path)
    assert notes == []
    labels = [run.label for run in Results.of(runs).runs]
    assert sorted(labels) == [
        "GAID (code aaaaaaa)",
        "GAID (code aaaaaaa)",
        "GAID (code bbbbbbb)",
        "GAID (frames=6)",
    ]


def test_a_run_of_an_earlier_version_has_an_unknown_code(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(9.0)], fingerprints={"dataset": "world", "features": "f"})
    make_run(
        tmp_path,
        {"seeds.noise": 1},
        [result(9.0)],
        fingerprints={"dataset": "world", "features": "f", "code": "a" * 64},
    )
    labels = {run.label for run in Results.of(read_runs(tmp_path)[0]).runs}
    assert labels == {"GAID (code unknown)", "GAID (code aaaaaaa)"}
