"""Tiled scores equal a naive double loop, whatever the tiles."""

from typing import Any

import pytest
import torch
from torch import Tensor

from core.batch import Rows, Texts, Videos, stable_keys
from core.capabilities import ReleasedScorer
from core.method import Dimensions, Losses, Method, MethodConfig, NoiseSource
from core.scoring.noise import KeyedNoise
from core.scoring.scoring import Precision, build_index, score_matrix


class ByPairing(ReleasedScorer):
    """The leak-free scores, from a class that is told the pairing."""

    def __init__(self, method: Method) -> None:
        self.method = method

    def score(self, texts: Texts, index: Rows, pairing: Tensor, noise: NoiseSource) -> Tensor:
        return self.method.score(texts, index, noise)


class Angles(Method):
    """Scores a pair by the largest cosine between the noisy caption and a frame."""

    name, title, paper, Config = "angles", "Angles", "none", MethodConfig

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.released = ByPairing(self)

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        raise AssertionError("scoring never asks for a loss")

    def index(self, videos: Videos) -> Rows:
        return videos

    def score(self, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        assert isinstance(index, Videos)
        assert not self.training
        drawn = noise.draw(texts.keys, index.keys, 1, texts.embeds.shape[1], "normal")[:, :, 0]
        query = texts.embeds[:, None] + drawn
        return torch.cosine_similarity(query[:, :, None], index.frames[None], dim=-1).amax(-1)


@pytest.fixture
def corpus() -> tuple[Method, Texts, Videos]:
    generator = torch.Generator().manual_seed(0)
    texts = Texts(torch.randn(7, 5, generator=generator), stable_keys([f"t{i}" for i in range(7)]))
    frames = torch.randn(11, 3, 5, generator=generator)
    videos = Videos(frames, torch.ones(11, 3, dtype=torch.bool), stable_keys([f"v{i}" for i in range(11)]))
    return Angles(MethodConfig(), Dimensions(5, 3)), texts, videos


@pytest.mark.parametrize("mode", ["per-text", "fresh"])
def test_scores_equal_a_loop_over_pairs_on_any_tiles(corpus: tuple[Method, Texts, Videos], mode: str) -> None:
    method, texts, videos = corpus
    noise, index = KeyedNoise(1, mode), build_index(method, videos)
    expected = torch.empty(7, 11, dtype=torch.float64)
    for n in range(7):
        for v in range(11):
            drawn = noise.draw(texts.keys[n : n + 1], videos.keys[v : v + 1], 1, 5, "normal")[
                0, 0, 0
            ].double()
            query, frames = texts.embeds[n].double() + drawn, videos.frames[v].double()
            expected[n, v] = max(float(query @ f / (query.norm() * f.norm())) for f in frames)
    for tile_bytes in (1, 60 * 4, 15 * 4 * 12, 2**20):
        scores = score_matrix(method, texts, index, noise=noise, tile_bytes=tile_bytes)
        assert torch.allclose(scores.double(), expected, atol=1e-6)


def test_scoring_leaves_the_mode_of_the_method_as_it_was(corpus: tuple[Method, Texts, Videos]) -> None:
    method, texts, videos = corpus
    method.train()
    score_matrix(method, texts, build_index(method, videos), noise=KeyedNoise(0, "per-text"))
    assert method.training


def test_the_released_condition_must_be_told_the_pairing(corpus: tuple[Method, Texts, Videos]) -> None:
    method, texts, videos = corpus
    with pytest.raises(ValueError, match="pairing"):
        score_matrix(
            method, texts, build_index(method, videos), condition="released", noise=KeyedNoise(0, "fresh")
        )


@pytest.mark.parametrize(
    ("precision", "name"), [("float32", "highest"), ("tf32", "high"), ("bfloat16", "medium")]
)
def test_products_are_as_precise_as_asked_and_no_longer(
    corpus: tuple[Method, Texts, Videos], precision: Precision, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, texts, videos = corpus
    index, seen, score = build_index(method, videos), set[str](), method.score

    def watched(*arguments: Any) -> Tensor:
        seen.add(torch.get_float32_matmul_precision())
        return score(*arguments)

    monkeypatch.setattr(method, "score", watched)
    before = torch.get_float32_matmul_precision()
    score_matrix(method, texts, index, noise=KeyedNoise(0, "per-text"), precision=precision)
    assert seen == {name}
    assert torch.get_float32_matmul_precision() == before


def test_a_device_without_room_gets_smaller_tiles_in_either_condition(
    corpus: tuple[Method, Texts, Videos], monkeypatch: pytest.MonkeyPatch
) -> None:
    method, texts, videos = corpus
    noise, index, score = KeyedNoise(0, "fresh"), build_index(method, videos), method.score

    def crowded(texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        if len(index) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return score(texts, index, noise)

    whole = score_matrix(method, texts, index, noise=noise)
    monkeypatch.setattr(method, "score", crowded)
    own = torch.zeros(7, dtype=torch.int64)
    for condition in ("leak-free", "released"):
        found = score_matrix(method, texts, index, noise=noise, condition=condition, pairing=own)
        assert torch.allclose(found, whole, atol=1e-6)
