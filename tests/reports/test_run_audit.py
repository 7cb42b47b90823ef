"""What `bench audit` tells of finished runs, and its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from typer.testing import Result

from core.audit.verdict import Verdict
from core.runs import RunDirectory, write_json
from reports.audit.duplicates import duplicates_of
from reports.audit.run import audit_run
from reports.collect import read_run
from reports.queries import ResultKey
from tests.command_line import assert_one_line
from tests.made_runs import add_result, make_run, result

WHOLE: dict[str, Any] = {
    "commit": {},
    "packages": {},
    "hardware": {},
    "selected_epoch": 2,
    "selection_looks": 9,
}


def finished(root: Path, **overrides: object) -> RunDirectory:
    """A run whose files say everything: 30 captions of 15 clips, random scores."""
    spec = {key.replace("__", "."): value for key, value in overrides.items()}
    directory, _ = make_run(root, {"evaluation.conditions": ["leak-free"], **spec}, [result(10.0)], **WHOLE)
    scores = torch.rand(30, 15, generator=torch.Generator().manual_seed(0))
    add_result(directory, scores, torch.arange(30) // 2)
    return directory


def verdicts(directory: RunDirectory, condition: Any = "leak-free") -> dict[str, Verdict]:
    return {verdict.check: verdict for verdict in audit_run(read_run(directory), condition)}


def test_a_whole_run_passes(tmp_path: Path) -> None:
    found = verdicts(finished(tmp_path))
    assert {verdict.verdict for verdict in found.values()} == {"pass", "not applicable"}
    assert "20 of 20 fields; 2 figures, R@1 off by 0 points" in found["protocol"].figure


@pytest.mark.parametrize("damage", ["figure", "field", "provenance"])
def test_a_figure_without_its_ranks_or_its_protocol_fails(damage: str, tmp_path: Path) -> None:
    directory = finished(tmp_path)
    metrics, manifest = directory.read_json("metrics.json"), dict(directory.read_json("manifest.json"))
    if damage == "figure":
        metrics["results"][0]["metrics"]["expected"]["R@1"] += 1.0
    if damage == "field":
        del metrics["results"][0]["protocol"]["noise_seed"]
    if damage == "provenance":
        del manifest["commit"]
    write_json(directory.path / "metrics.json", metrics)
    write_json(directory.path / "manifest.json", manifest)
    protocol = verdicts(directory)["protocol"]
    assert protocol.verdict == "fail"
    assert {"figure": "off by 1 points", "field": "no noise_seed", "provenance": "no commit"}[
        damage
    ] in protocol.figure


def test_a_checkpoint_that_the_scored_split_chose_fails(tmp_path: Path) -> None:
    assert verdicts(finished(tmp_path, training__selection="test-best"))["selection"].verdict == "fail"
    assert verdicts(finished(tmp_path, training__selection="last"))["selection"].verdict == "pass"


def test_the_released_gap_fails_where_it_is_more_than_luck(tmp_path: Path) -> None:
    entries = [result(30.0), result(60.0, condition="released")]
    gap = verdicts(make_run(tmp_path, {}, entries)[0], "released")["released gap"]
    assert gap.verdict == "fail"
    assert gap.figure.startswith("R@1 +30.0 points")
    same = [result(30.0), result(30.0, condition="released")]
    assert (
        verdicts(make_run(tmp_path, {}, same, order=0, store="other")[0], "released")["released gap"].verdict
        == "pass"
    )


def test_duplicates_are_counted_and_bounded_by_hand(tmp_path: Path) -> None:
    """Five queries of five clips: two clips share pixels, two captions are one and the same."""
    rows = pd.DataFrame(
        [
            ("a dog", "v0", "g", "v1", 2.0, 2.0),  # loses to the clip of the same pixels: forgiven, +1
            ("a cat", "v1", "g", "v3", 2.0, 2.0),  # loses to another clip
            ("a car", "v2", "v2", "v3", 1.0, 2.0),  # ties with the clip of the same caption: forgiven, +1/2
            ("a car", "v3", "v3", "v0", 1.0, 1.0),  # right
            ("a bus", "v4", "v4", "v4", 5.0, 5.0),  # an absent video, whose best wrong one is not known
        ],
        columns=["text", "video", "group", "best_wrong_video", "best", "worst"],
    )
    best, worst = (rows.pop(name).astype(int) for name in ("best", "worst"))
    directory, _ = make_run(tmp_path, {}, [result(0.0, queries=5)])
    file = directory.path / "queries.parquet"
    pd.read_parquet(file).assign(
        **rows, greater=best - 1, above=best - 1, ties=worst - best, equal=worst - best
    ).to_parquet(file, index=False)
    found = duplicates_of(read_run(directory).answered(ResultKey("test")))
    assert (found.captions, found.clips) == (1, 2)
    assert found.effect == pytest.approx(100 * 1.5 / 5)
    assert found.spread == pytest.approx(100 * 1 / 5)


def test_the_command_prints_records_and_its_exit_code_says_whether_one_failed(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    good = invoke("audit", finished(tmp_path).path, "--json")
    assert good.exit_code == 0
    records = json.loads(good.stdout)
    assert set(records[0]) == {"method", "condition", "check", "verdict", "figure", "meaning"}
    bad = invoke("audit", "tmass", "--condition", "released", "--size", "60", "--seeds", "1")
    assert bad.exit_code == 1
    assert "checks failed" in bad.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["--all"]),
        (("gaidd",), ["unknown method 'gaidd'", "'gaid'"]),
        (("gaid", "--condition", "realeased"), ["unknown condition 'realeased'", "'released'"]),
        (("runs/none",), ["runs/none", "no run"]),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...], words: list[str], invoke: Callable[..., Result]
) -> None:
    assert_one_line(invoke("audit", *arguments), *words)


def test_a_condition_that_a_run_was_not_scored_under_is_named(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    result = invoke("audit", finished(tmp_path).path, "--condition", "released")
    assert_one_line(result, "leak-free only", "--condition leak-free")
