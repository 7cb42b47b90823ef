"""Galleries whose scores do not fit into memory: ranked in strips, and what is refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from core.errors import BenchError
from core.evaluation.evaluation import evaluate
from core.evaluation.split_scores import check_budget
from core.progress import Silent
from core.retriever import SplitData
from core.running.cells import RunInputs, build_method
from core.runs import RunDirectory

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("passes", [1, 2])
def test_ranks_in_strips_are_those_of_the_matrix(
    passes: int,
    evaluated: Path,
    make_retriever: Callable,
    materials: RunInputs,
    data: dict[str, SplitData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a disk with room for the strips they are scored once, elsewhere twice; the ranks are the same."""
    for module in ("evaluation", "split_scores"):
        monkeypatch.setattr(f"core.evaluation.{module}.fits", lambda *_: False)
    monkeypatch.setattr("core.evaluation.split_scores.room_for", lambda *_: passes == 1)
    monkeypatch.setattr("core.evaluation.streaming.STRIP", 300)
    retriever, spec = make_retriever("gaid", evaluation__rescoring=["none"])
    told = Counting()
    evaluate(retriever, build_method(spec, materials, seed=1), data, spec, RunDirectory(tmp_path), told)
    pairs = sum(len(data[name].tokens) * len(data[name].rows) for name in spec.evaluation.splits)
    assert told.total == told.done == passes * pairs * len(spec.evaluation.conditions)
    whole = pd.read_parquet(evaluated / "queries.parquet").query("rescoring == 'none'").reset_index(drop=True)
    strips = pd.read_parquet(tmp_path / "queries.parquet")
    pd.testing.assert_frame_equal(strips, whole, check_exact=False, rtol=0, atol=1e-6)


class Counting(Silent):
    """Counts what it is told."""

    total = done = 0

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int, str], None]]:
        self.total += total

        def advance(units: int, note: str) -> None:
            self.done += units

        yield advance


def test_a_rescoring_that_goes_beyond_the_budget_is_refused(
    make_retriever: Callable,
) -> None:
    _, spec = make_retriever("clip4clip", evaluation__memory_budget=1)
    large = {name: (1000, 1000) if name == "test" else (10, 10) for name in spec.evaluation.splits}
    with pytest.raises(
        BenchError, match=r"test: dsl, qb-norm need all 1000 x 1000 scores, 4 MiB, and .* is 1; raise"
    ):
        check_budget(large, spec)
    check_budget(large, make_retriever("clip4clip", evaluation__memory_budget=4)[1])
