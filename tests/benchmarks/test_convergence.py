"""Convergence is the change of validation R@1 by twice the training, as a mean over seeds."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import convergence
from tests.made_runs import make_run, result


def trained(root: Path, method: str, epochs: int, seed: int, recall: float) -> None:
    overrides = {"training.epochs": epochs, "seeds.initialisation": seed}
    directory, _ = make_run(root, overrides, [result(5.0)], method=method, train_seconds=2.0 * epochs)
    looks = [{"epoch": epochs // 2, "recall_at_1": 99.0}, {"epoch": epochs, "recall_at_1": float(recall)}]
    (directory.path / "epochs.jsonl").write_text("".join(json.dumps(look) + "\n" for look in looks))


def invoked(root: Path) -> tuple[int, str]:
    app = convergence.typer.Typer()
    app.command()(convergence.main)
    done = CliRunner().invoke(app, [str(root)], env={"COLUMNS": "120"})
    return done.exit_code, done.output


def test_a_row_is_the_mean_over_the_seeds_that_have_both_lengths(tmp_path: Path) -> None:
    for seed, (short, long) in enumerate([(60, 61), (62, 65)]):
        trained(tmp_path, "gaid", 24, seed, short)
        trained(tmp_path, "gaid", 48, seed, long)
    trained(tmp_path, "gaid", 24, 2, 0)  # has no other length
    trained(tmp_path, "xpool", 24, 0, 30)
    lengths = convergence.by_length(convergence.read_runs(tmp_path)[0])
    ((cells, change),) = convergence.rows("gaid", lengths["gaid"])
    assert change == pytest.approx(2.0)
    assert cells == ["gaid", "24", "2", "61.0 (60.0 to 62.0)", "48", "63.0 (61.0 to 65.0)", "96", "+2.0"]
    assert convergence.rows("xpool", lengths["xpool"]) == []


@pytest.mark.parametrize(("long", "code"), [(62, 0), (63, 1), (57, 1)])
def test_the_exit_code_says_whether_all_have_converged(tmp_path: Path, long: float, code: int) -> None:
    trained(tmp_path, "gaid", 24, 0, 60)
    trained(tmp_path, "gaid", 48, 0, long)
    found, printed = invoked(tmp_path)
    assert found == code, printed


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
