"""What the checks of pairing and size let rounding change: a tolerance, unless a method multiplies it."""

from functools import partial

import pytest
import torch

from core.audit import rounding as module
from core.audit.change import tolerances
from core.audit.rounding import MOST_ROUNDING, rounding
from core.audit.size import size
from core.audit.subject import VIDEOS, Subject
from core.batch import Texts
from core.method import NoiseSource
from core.registry import find_method
from tests.core.audit.planted import Clean, Kept


def allowed(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    subject = Subject(find_method(name), "leak-free", size=100, seeds=1)
    method, world = subject.compared()
    texts = world.texts[:VIDEOS]
    stored = subject.scores(method, texts, world.videos)
    return rounding(partial(subject.scores, method), texts, world.videos, stored), tolerances(stored)


@pytest.mark.parametrize("name", ["clip4clip", "xpool", "gram"])
def test_an_ordinary_method_may_change_by_its_tolerance_alone(name: str) -> None:
    found, tolerance = allowed(name)
    assert torch.equal(found, tolerance)


def test_a_method_that_multiplies_the_last_digit_may_change_by_that_and_never_by_more_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Inputs that are shaken a million times as hard stand for a method that multiplies rounding."""
    shaken = torch.finfo(torch.float32).eps * 2**20
    monkeypatch.setattr(module, "last_digit", lambda dtype: shaken)
    found, tolerance = allowed("clip4clip")
    torch.testing.assert_close(found, MOST_ROUNDING * tolerance)


class SlightlyWhereLarge(Clean):
    """Own pairs gain five tolerances in tiles of more than a hundred videos."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> torch.Tensor:
        scores = super().score(texts, index, noise)
        return scores + 5 * tolerances(scores)[:, None] * torch.eye(*scores.shape) * (scores.shape[1] > 100)


@pytest.mark.parametrize(("harder", "verdict"), [(1, "fail"), (2**20, "pass")])
def test_size_takes_a_second_look_that_forgives_rounding_and_no_leak(
    harder: int, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same small change is forgiven only where moving the last digit of the inputs makes one as large."""
    monkeypatch.setattr(module, "last_digit", lambda dtype: torch.finfo(dtype).eps * harder)
    found = size(Subject(SlightlyWhereLarge, "leak-free", seeds=1))
    assert found.verdict == verdict
