"""Every check finds the cheat that it is for, and none finds fault with an honest method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from core.audit.checks import CHECKS
from core.audit.keys import KeyBlindNoise
from core.audit.subject import Subject
from core.batch import Rows, Texts, Videos
from core.method import Losses, Method, MethodConfig, Needs, NoiseSource


@dataclass(frozen=True)
class ToyIndex(Rows):
    vector: Tensor
    sound: Tensor


class Honest(Method):
    """Cosine with the mean of frames and sound."""

    name, title, paper = "honest", "Honest", "none"
    Config = MethodConfig
    needs = Needs(sound=True)

    def index(self, videos: Videos) -> ToyIndex:
        assert videos.audio is not None
        late = videos.audio[:, len(videos.audio[0]) // 2 :].mean(1)
        return ToyIndex(videos.frames.mean(1), late)

    def score(self, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        assert isinstance(index, ToyIndex)
        mean = torch.nn.functional.normalize(index.vector + index.sound, dim=-1)
        return torch.nn.functional.normalize(texts.embeds, dim=-1) @ mean.T

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        logits = self.score(texts, self.index(videos), KeyBlindNoise())
        own = torch.arange(len(logits), device=logits.device)
        return Losses(torch.nn.functional.cross_entropy(logits, own), {})


class KnowsPositions(Honest):
    """Favours the video that stands where the text stands, as a loop over pairs does by mistake."""

    def score(self, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + 0.2 * torch.eye(*scores.shape)


class RemembersTexts(Honest):
    """Pools the next index with the last texts."""

    last: Tensor | None = None

    def index(self, videos: Videos) -> ToyIndex:
        index = super().index(videos)
        return index if self.last is None else ToyIndex(index.vector + self.last.mean(0), index.sound)

    def score(self, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        self.last = texts.embeds
        return super().score(texts, index, noise)


class KeepsTexts(Honest):
    """Puts the last texts into an index of as many videos, without working with them."""

    last: tuple[int, Tensor | None] = (0, None)

    def index(self, videos: Videos) -> ToyIndex:
        index, (count, texts) = super().index(videos), self.last
        return index if texts is None or count != len(videos) else ToyIndex(index.vector, texts)

    def score(self, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        self.last = (len(texts), texts.embeds)
        return super().score(texts, index, noise)


class LooksAtOtherQueries(Honest):
    """Takes the mean over the queries away."""

    def score(self, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores - scores.mean(0)


class Deaf(Honest):
    """Claims sound and uses none."""

    def index(self, videos: Videos) -> ToyIndex:
        index = super().index(videos)
        return ToyIndex(index.vector, torch.zeros_like(index.sound))


class ListensInSecret(Honest):
    needs = Needs()


class ThrowsDice(Honest):
    def score(self, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + 0.01 * torch.randn_like(scores)


class ChoosesOnTest(Honest):
    recipe: ClassVar[Mapping[str, object]] = {"training.selection": "test-best"}


def failures(method: type[Method]) -> set[str]:
    subject = Subject(method, "leak-free", size=60, seeds=1)
    return {check.__name__ for check in CHECKS if check(subject).verdict == "fail"}


def test_an_honest_method_passes() -> None:
    assert failures(Honest) == set()


@pytest.mark.parametrize(
    ("method", "found"),
    [
        (KnowsPositions, {"noise_canary", "pairing", "ties"}),
        (RemembersTexts, {"index_honesty"}),
        (KeepsTexts, {"index_honesty"}),
        (LooksAtOtherQueries, {"pairing", "test_set_statistics"}),
        (Deaf, {"audio"}),
        (ListensInSecret, {"audio"}),
        (ThrowsDice, {"pairing", "test_set_statistics", "determinism"}),
        (ChoosesOnTest, {"selection"}),
    ],
)
def test_each_cheat_is_found(method: type[Method], found: set[str]) -> None:
    assert found <= failures(method)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_verdict_says_what_was_checked_measured_and_meant(check: Callable[[Subject], Any]) -> None:
    verdict = check(Subject(Honest, "released", size=40, seeds=1))
    assert (verdict.method, verdict.condition) == ("honest", "released")
    assert verdict.check == check.__name__.replace("_", " ").replace("test set", "test-set")
    assert verdict.figure
    assert verdict.meaning.endswith(".")
