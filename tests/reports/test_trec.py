"""TREC files: another evaluator reads the same figures out of them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import BenchError
from core.evaluation.measures import MEASURES
from reports.collect import Run, read_run
from reports.queries import ResultKey
from reports.trec import trec_files
from reports.write import write_files
from tests.made_runs import add_result, make_run, result


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """50 captions of 30 videos, some with several, and the scores of a fair retriever."""
    generator = torch.Generator().manual_seed(0)
    pairing = torch.cat([torch.arange(30), torch.randint(0, 30, (20,), generator=generator)])
    scores = torch.rand(50, 30, generator=generator)
    scores[torch.arange(50), pairing] += 0.3
    directory, _ = make_run(tmp_path / "runs", {}, [result(1.0)])
    add_result(directory, scores, pairing)
    return read_run(directory)


def exported(run: Run, folder: Path, **protocol: str) -> Path:
    asked: dict[str, Any] = {"split": "test", "condition": "leak-free", "rescoring": "none", **protocol}
    write_files(trec_files(run, **asked), folder)
    return folder


@pytest.mark.parametrize("direction", ["t2v", "v2t"])
def test_ranx_finds_the_recall_that_the_run_reports(direction: str, run: Run, tmp_path: Path) -> None:
    import ranx

    folder = exported(run, tmp_path / "trec")
    theirs = ranx.evaluate(
        ranx.Qrels.from_file(str(folder / f"{direction}.qrels"), kind="trec"),
        ranx.Run.from_file(str(folder / f"{direction}.run"), kind="trec"),
        [f"hit_rate@{k}" for k in (1, 5, 10)],
    )
    ours = run.answered(ResultKey("test", direction=direction))
    for k in (1, 5, 10):
        assert 100 * theirs[f"hit_rate@{k}"] == pytest.approx(ours.figure(MEASURES[f"R@{k}"]))
    assert 20 < ours.figure(MEASURES["R@1"]) < 80


def test_a_list_holds_twenty_candidates_in_descending_order(run: Run, tmp_path: Path) -> None:
    lines = (exported(run, tmp_path) / "t2v.run").read_text().splitlines()
    assert len(lines) == 50 * 20
    first = [line.split(" ") for line in lines[:20]]
    assert {len(fields) for fields in first} == {6}
    assert [int(fields[3]) for fields in first] == list(range(1, 21))
    assert [float(fields[4]) for fields in first] == sorted((float(f[4]) for f in first), reverse=True)
    assert {fields[2] for fields in first} <= {f"clip%20{v}" for v in range(30)}


def test_a_protocol_that_was_not_scored_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="not scored under 'test released none'"):
        exported(run, tmp_path, condition="released")


def test_lists_that_cannot_be_read_are_named(run: Run, tmp_path: Path) -> None:
    (run.directory.path / "top.parquet").write_bytes(b"PAR1")
    with pytest.raises(BenchError, match=r"top\.parquet is damaged"):
        exported(run, tmp_path)
