"""A kind of a part is one new file: it is a value of its option, it scores, and a broken one is one line."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import methods.parts.interaction
import methods.parts.pooling
from core.errors import BenchError
from core.scoring.scoring import build_index, score_matrix
from methods.parts.kinds import INTERACTIONS, POOLINGS, Kinds
from tests.methods.small_worlds import random_method, random_noise, random_texts, random_videos

MAX = """
import torch
from methods.parts.kinds import POOLINGS
from methods.parts.pooling.base import VectorPrepared
from methods.parts.pooling.mean import VectorPooling


@POOLINGS.kind("max")
class MaxPooling(VectorPooling):
    @classmethod
    def build(cls, config, dimensions):
        return cls()

    def prepare(self, frames, mask):
        return VectorPrepared(frames, mask, frames.masked_fill(~mask[..., None], -torch.inf).amax(-2))
"""
DOT = """
from methods.parts.interaction.base import Interaction
from methods.parts.kinds import INTERACTIONS


@INTERACTIONS.kind("dot")
class Dot(Interaction):
    obstacle = "dot interaction"

    def forward(self, query, texts, videos, scale):
        return query[:, 0] @ videos.vector.T
"""
PACKAGES = {
    "pooling": (methods.parts.pooling, POOLINGS),
    "interaction": (methods.parts.interaction, INTERACTIONS),
}


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Kinds]]:
    """Puts a file into the package of a part for the length of a test."""

    def add(part: str, source: str) -> Kinds:
        package, kinds = PACKAGES[part]
        (tmp_path / f"added_{part}.py").write_text(source)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, f"{package.__name__}.added_{part}", raising=False)
        return kinds

    before = {part: dict(kinds.classes) for part, (_, kinds) in PACKAGES.items()}
    yield add
    for part, (_, kinds) in PACKAGES.items():
        kinds.classes.clear()
        kinds.classes.update(before[part])


def test_a_pooling_of_one_file_is_a_value_of_its_option_and_scores(
    added: Callable[[str, str], Kinds],
) -> None:
    assert "max" in added("pooling", MAX).names()
    method, texts, videos = random_method(pooling="max"), random_texts(3), random_videos(4)
    frames = videos.frames.masked_fill(~videos.frame_mask[..., None], -torch.inf)
    expected = torch.cosine_similarity(texts.embeds[:, None], frames.amax(1)[None], dim=-1)
    index = build_index(method, videos)
    assert index.engine.startswith("modules (max pooling")
    scores = score_matrix(method, texts, index, noise=random_noise(3, 4))
    torch.testing.assert_close(scores, expected.to(scores))


def test_an_interaction_of_one_file_is_a_value_of_its_option_and_scores(
    added: Callable[[str, str], Kinds],
) -> None:
    assert "dot" in added("interaction", DOT).names()
    method, texts, videos = random_method(interaction="dot"), random_texts(3), random_videos(4)
    pooled = method.index(videos).videos.vector
    index = build_index(method, videos)
    assert index.engine == "modules (dot interaction)"
    scores = score_matrix(method, texts, index, noise=random_noise(3, 4))
    torch.testing.assert_close(scores, texts.embeds.to(scores) @ pooled.T.to(scores))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("x = 1\n\ny = (\n", "SyntaxError"),
        ("1 / 0\n", "line 1"),
    ],
)
def test_a_broken_kind_is_one_line_with_its_file(
    source: str, words: str, added: Callable[[str, str], Kinds]
) -> None:
    kinds = added("pooling", source)
    with pytest.raises(BenchError, match="added_pooling.py") as error:
        kinds.names()
    assert words in str(error.value) and "\n" not in str(error.value)
