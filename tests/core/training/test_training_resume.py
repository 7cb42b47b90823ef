"""Interrupted training continues bit for bit, and a damaged state is refused."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.errors import BenchError
from core.progress import Advance, Silent
from core.retriever import SplitData
from core.running.cells import RunInputs
from core.training.training import Progression, Session, Trainer, kept_in_words
from tests.core.training.small_training import SMALL, STEPS, first_pairs

pytestmark = pytest.mark.slow


@dataclass
class InterruptAfter:
    """A progress that raises Ctrl-C once so many optimiser steps have been taken."""

    steps: int

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        taken = 0

        def advance(units: int, note: str) -> None:
            nonlocal taken
            taken += units
            if taken == self.steps:
                raise KeyboardInterrupt

        yield advance


@dataclass
class Outcome:
    weights: dict[str, Tensor]
    log: str
    done: Progression


def train(
    make_retriever: Callable, data: SplitData, folder: Path, interrupt: int | None = None, **overrides: object
) -> Outcome:
    """Trains T-MASS, which draws noise and dropout; what it validates by depends on the weights."""
    retriever, spec = make_retriever("tmass", **{**SMALL, **overrides})
    folder.mkdir(exist_ok=True)
    trainer = Trainer(retriever, spec.training, spec.seeds, folder)
    progress = Silent() if interrupt is None else InterruptAfter(interrupt)
    done = trainer.fit(data, lambda: retriever.method.logit_scale.item(), progress)
    return Outcome(retriever.trained_state(), (folder / "log.jsonl").read_text(), done)


@pytest.fixture(scope="module")
def undisturbed(
    make_retriever: Callable, materials: RunInputs, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    return train(make_retriever, first_pairs(materials), tmp_path_factory.mktemp("undisturbed"))


def assert_equal_outcomes(found: Outcome, expected: Outcome) -> None:
    assert found.weights.keys() == expected.weights.keys()
    assert [
        name for name in expected.weights if not torch.equal(found.weights[name], expected.weights[name])
    ] == []
    assert found.log == expected.log
    assert (found.done.looks, found.done.best_epoch) == (expected.done.looks, expected.done.best_epoch)


@pytest.mark.parametrize(
    "steps",
    [1, STEPS, STEPS + 1, 2 * STEPS - 1, 3 * STEPS],
    ids=["first step", "epoch not yet saved", "epoch just saved", "middle of an epoch", "last step"],
)
def test_an_interrupted_run_continues_bit_for_bit(
    steps: int, make_retriever: Callable, materials: RunInputs, undisturbed: Outcome, tmp_path: Path
) -> None:
    data = first_pairs(materials)
    with pytest.raises(KeyboardInterrupt):
        train(make_retriever, data, tmp_path, interrupt=steps)
    torch.manual_seed(steps)  # another process would have another state
    assert_equal_outcomes(train(make_retriever, data, tmp_path), undisturbed)


@pytest.mark.parametrize("steps", [1, STEPS - 1, STEPS + 2])
def test_a_state_that_was_saved_within_an_epoch_continues_bit_for_bit(
    steps: int, make_retriever: Callable, materials: RunInputs, undisturbed: Outcome, tmp_path: Path
) -> None:
    data = first_pairs(materials)
    assert kept_in_words(tmp_path, 3) == "from the start"
    with pytest.raises(KeyboardInterrupt):
        train(make_retriever, data, tmp_path, interrupt=steps, training__save_minutes=1e-9)
    assert kept_in_words(tmp_path, 3) == f"after {steps} steps, {steps // STEPS} of 3 epochs finished"
    torch.manual_seed(steps)  # another process would have another state
    assert_equal_outcomes(train(make_retriever, data, tmp_path), undisturbed)


def test_how_often_a_run_saves_is_no_part_of_what_it_is(make_retriever: Callable) -> None:
    specs = [make_retriever("tmass", training__save_minutes=minutes)[1] for minutes in (1, 10)]
    assert specs[0].canonical() == specs[1].canonical()
    assert specs[0].digest("data") == specs[1].digest("data")


def test_the_wall_time_is_that_of_all_sessions(
    make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    def session(began: float, interrupt: int) -> Session:
        retriever, spec = make_retriever("tmass", **SMALL)
        session = Session(time.monotonic() - began)
        trainer = Trainer(retriever, spec.training, spec.seeds, tmp_path, session=session)
        with suppress(KeyboardInterrupt):
            trainer.fit(first_pairs(materials), lambda: 0.0, InterruptAfter(interrupt))
        return session

    assert session(1000, 1).earlier == 0  # it kept nothing
    assert session(1000, STEPS + 1).earlier == 0
    second = session(2000, 2 * STEPS + 1)
    assert 1000 <= second.earlier < 2000
    last = session(4000, 0)
    assert 3000 <= last.earlier < 4000
    assert 7000 <= last.seconds < 8000


def test_a_finished_run_is_not_trained_again(
    make_retriever: Callable, materials: RunInputs, undisturbed: Outcome, tmp_path: Path
) -> None:
    data = first_pairs(materials)
    train(make_retriever, data, tmp_path)
    assert_equal_outcomes(train(make_retriever, data, tmp_path, interrupt=1 + 3 * STEPS), undisturbed)


def test_the_same_seeds_give_the_same_run_and_another_noise_seed_another(
    make_retriever: Callable, materials: RunInputs, undisturbed: Outcome, tmp_path: Path
) -> None:
    data = first_pairs(materials)
    assert_equal_outcomes(train(make_retriever, data, tmp_path / "same"), undisturbed)
    other = train(make_retriever, data, tmp_path / "other", seeds__noise=1)
    assert other.log != undisturbed.log


def test_a_state_whose_log_is_gone_is_one_line_and_nothing_is_lost(
    make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(make_retriever, first_pairs(materials), tmp_path, interrupt=STEPS + 1)
    (tmp_path / "log.jsonl").unlink()
    with pytest.raises(BenchError, match=rf"log.jsonl holds 0 of the {STEPS} steps before resume.pt; delete"):
        train(make_retriever, first_pairs(materials), tmp_path)
    assert (tmp_path / "resume.pt").exists()


@pytest.mark.parametrize(
    "damage", ["empty", "text", "truncated", "half the keys", "another method", "a list"]
)
def test_a_damaged_state_is_one_line_that_names_it(
    damage: str, make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    state = tmp_path / "resume.pt"
    with pytest.raises(KeyboardInterrupt):
        train(make_retriever, first_pairs(materials), tmp_path, interrupt=STEPS + 1)
    content = torch.load(state)
    if damage == "empty":
        state.write_bytes(b"")
        assert kept_in_words(tmp_path, 3) == f"from the start, once {state}, which is damaged, is deleted"
    elif damage == "text":
        state.write_text("not a checkpoint")
    elif damage == "truncated":
        state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    elif damage == "half the keys":
        torch.save({key: content[key] for key in ("progression", "weights")}, state)
    elif damage == "another method":
        torch.save({**content, "weights": {"method.unheard_of": torch.zeros(1)}}, state)
    else:
        torch.save([content], state)
    with pytest.raises(BenchError, match=r"resume\.pt is damaged .* delete it") as caught:
        train(make_retriever, first_pairs(materials), tmp_path)
    assert "\n" not in str(caught.value)
