"""Convergence is the change of validation R@1 by twice the training, as a mean over seeds."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import convergence
from reports.convergence import Doubling
from tests.made_runs import make_run, result


def trained(root: Path, method: str, epochs: int, seed: int, recall: float, **settings: object) -> None:
    overrides = {"training.epochs": epochs, "seeds.initialisation": seed, **settings}
    directory, _ = make_run(root, overrides, [result(5.0)], method=method, train_seconds=2.0 * epochs)
    looks = [{"epoch": epochs // 2, "recall_at_1": 99.0}, {"epoch": epochs, "recall_at_1": float(recall)}]
    (directory.path / "epochs.jsonl").write_text("".join(json.dumps(look) + "\n" for look in looks))


def invoked(root: Path, *flags: str) -> tuple[int, str]:
    app = convergence.typer.Typer()
    app.command()(convergence.main)
    done = CliRunner().invoke(app, [str(root), *flags], env={"COLUMNS": "120"})
    return done.exit_code, done.output


def test_a_row_is_the_mean_over_the_seeds_that_have_both_lengths(tmp_path: Path) -> None:
    for seed, (once, twice) in enumerate([(60, 61), (62, 65)]):
        trained(tmp_path, "gaid", 24, seed, once)
        trained(tmp_path, "gaid", 48, seed, twice)
    trained(tmp_path, "gaid", 24, 2, 0)  # has no other length
    trained(tmp_path, "xpool", 24, 0, 30)
    lengths = convergence.by_length(convergence.read_runs(tmp_path)[0])
    ((found, short, long),) = convergence.doubled(lengths["gaid, avworld-tiny, frozen"])
    assert (found.change, found.seeds, found.epochs) == (pytest.approx(2.0), 2, 24)
    assert convergence.cells(found, short, long) == [
        "gaid",
        "24",
        "2",
        "61.0 (60.0 to 62.0)",
        "48",
        "63.0 (61.0 to 65.0)",
        "96",
        "+2.0",
    ]
    assert list(convergence.doubled(lengths["xpool, avworld-tiny, frozen"])) == []


@pytest.mark.parametrize(("long", "code"), [(62, 0), (63, 1), (57, 1)])
def test_the_exit_code_says_whether_all_have_converged(tmp_path: Path, long: float, code: int) -> None:
    trained(tmp_path, "gaid", 24, 0, 60)
    trained(tmp_path, "gaid", 48, 0, long)
    found, printed = invoked(tmp_path)
    assert found == code, printed


def test_figures_are_kept_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Doubling] = []
    monkeypatch.setattr(convergence, "write_doublings", kept.extend)
    trained(tmp_path, "gaid", 24, 0, 60)
    trained(tmp_path, "gaid", 48, 0, 61)
    assert invoked(tmp_path)[0] == 0
    assert kept == []
    assert invoked(tmp_path, "--write")[0] == 0
    assert [(row.dataset, row.method, row.at_n, row.at_2n) for row in kept] == [
        ("avworld-tiny", "gaid", 60.0, 61.0)
    ]


def test_other_settings_are_a_training_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Doubling] = []
    monkeypatch.setattr(convergence, "write_doublings", kept.extend)
    for epochs, recall in ((24, 50), (48, 51)):
        trained(tmp_path, "gaid", epochs, 0, recall)
        trained(tmp_path, "gaid", epochs, 0, recall + 10, **{"config.fusion": "none"})
    assert invoked(tmp_path, "--write")[0] == 0
    assert [(row.method, row.settings, row.at_n) for row in kept] == [
        ("gaid", "", 50.0),
        ("gaid", "fusion=none", 60.0),
    ]


def test_a_run_that_was_not_looked_at_in_the_end_is_one_line(tmp_path: Path) -> None:
    trained(tmp_path, "gaid", 24, 0, 60)
    trained(tmp_path, "gaid", 48, 0, 61)
    for file in tmp_path.glob("*/epochs.jsonl"):
        file.write_text('{"epoch": 1, "recall_at_1": 3.0}\n')
    code, printed = invoked(tmp_path)
    assert code == 2
    assert re.search("was not validated after epoch (24|48), its last", printed)


def test_nothing_to_compare_is_one_line(tmp_path: Path) -> None:
    trained(tmp_path, "gaid", 24, 0, 60)
    code, printed = invoked(tmp_path)
    assert code == 2
    assert "no method that was trained for some epochs and for twice as many" in printed
