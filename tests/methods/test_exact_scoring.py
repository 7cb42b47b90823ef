"""Scores by algebra equal those of the modules, to rounding."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from core.batch import Texts
from core.errors import BenchError
from core.scoring.noise import KeyedNoise
from core.scoring.scoring import build_index, score_tiles
from methods.composed import ComposedMethod
from tests.methods.exactness import WIDTH, random_composition, random_corpus, scored, single

COMPOSITIONS = {
    "xpool": {"pooling": "text-conditioned"},
    "dasp": {"pooling": "text-conditioned", "perturbation": "dasp"},
    "tmass": {"pooling": "text-conditioned", "perturbation": "stp"},
    "gaid": {"fusion": "frame", "pooling": "text-conditioned", "perturbation": "dasp"},
    "gaid, sample level": {"fusion": "sample", "pooling": "text-conditioned", "perturbation": "dasp"},
    "gaid, stp": {"fusion": "frame", "pooling": "text-conditioned", "perturbation": "stp"},
    "gaid, null vector": {"fusion": "frame", "pooling": "text-conditioned", "null_audio": "learned"},
    "gaid, gate sees the text alone": {
        "fusion": "frame",
        "pooling": "text-conditioned",
        "gate_inputs": ("text",),
    },
    "gate and mean": {"fusion": "frame", "pooling": "mean", "perturbation": "dasp"},
    "sample gate and mean": {"fusion": "sample", "pooling": "mean"},
    "mean, stp": {"pooling": "mean", "perturbation": "stp"},
    "gate without text": {
        "fusion": "frame",
        "pooling": "text-conditioned",
        "gate_inputs": ("frame", "audio"),
    },
    "clip4clip": {"pooling": "sequence-transformer"},
}
CORPORA = {
    "more texts than videos": {},
    "more videos than texts": {"texts": 3, "videos": 11},
    "one frame": {"frames": 1},
    "24 frames": {"frames": 24},
    "identical frames": {"identical": True},
    "features of 1/200": {"scale": 1 / 200},
    "features of 1000": {"scale": 1000.0},
}


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_scores_are_those_of_the_modules(name: str, corpus: str) -> None:
    shape = CORPORA[corpus]
    heads = {"heads": 2} if COMPOSITIONS[name]["pooling"] == "text-conditioned" else {}
    method = random_composition(shape.get("frames", 5), **COMPOSITIONS[name], **heads)
    texts, videos = random_corpus(**shape)
    for mode in ("per-text", "fresh"):
        expected = scored(method, texts, videos, "modules", mode=mode)
        assert_close(scored(method, texts, videos, "exact", mode=mode), expected, rtol=0, atol=1e-12)
        rounded = single(method, texts, videos)
        expected = scored(*rounded, "modules", mode=mode)
        assert_close(scored(*rounded, "exact", mode=mode), expected, rtol=0, atol=1e-6)
        method.double()


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("name", ["xpool", "dasp", "tmass", "gaid"])
def test_any_number_of_heads(name: str, heads: int) -> None:
    method = random_composition(heads=heads, **COMPOSITIONS[name])
    texts, videos = random_corpus()
    expected = scored(method, texts, videos, "modules")
    assert_close(scored(method, texts, videos, "exact"), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("bias", [-40.0, -15.0, 15.0, 40.0])
@pytest.mark.parametrize("name", ["gaid", "gate and mean", "gaid, null vector"])
def test_saturated_gates(name: str, bias: float) -> None:
    # At 40 the gate is 1 in either precision: a silent clip is then fused to frames of zeros.
    method = random_composition(**COMPOSITIONS[name])
    with torch.no_grad():
        method.fusion.gate.bias.fill_(bias)
    texts, videos = random_corpus()
    expected = scored(method, texts, videos, "modules")
    assert_close(scored(method, texts, videos, "exact"), expected, rtol=0, atol=1e-12)
    method, texts, videos = single(method, texts, videos)
    expected = scored(method, texts, videos, "modules")
    assert_close(scored(method, texts, videos, "exact"), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["xpool", "gaid", "tmass", "gate and mean", "dasp"])
@pytest.mark.parametrize("mode", ["per-text", "fresh"])
def test_scores_depend_neither_on_tiles_nor_on_their_order(name: str, mode: str) -> None:
    method, (texts, videos) = random_composition(**COMPOSITIONS[name]), random_corpus()
    whole = scored(method, texts, videos, "exact", mode=mode)
    for tile_bytes in (1, 4000, 20_000):
        assert_close(
            scored(method, texts, videos, "exact", mode=mode, tile_bytes=tile_bytes),
            whole,
            rtol=0,
            atol=1e-14,
        )
    order = torch.randperm(len(texts))
    assert_close(scored(method, texts[order], videos, "exact", mode=mode), whole[order], rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("config", "obstacle"),
    [
        ({"fusion": "token", "pooling": "text-conditioned"}, "token fusion"),
        ({"pooling": "top-k"}, "top-k pooling"),
        ({"interaction": "multi-grained"}, "multi-grained interaction"),
        (
            {"fusion": "frame", "pooling": "sequence-transformer"},
            "sequence-transformer pooling of frames that the text fuses",
        ),
    ],
)
def test_what_has_no_algebra_is_scored_by_the_modules_and_says_why(
    config: dict[str, str], obstacle: str
) -> None:
    method, (texts, videos) = random_composition(transformer_heads=2, **config), random_corpus()
    index = build_index(method, videos)
    assert index.engine == f"modules ({obstacle})"
    tile = next(score_tiles(method, texts, index, KeyedNoise(0, "per-text")))
    expected = method.eval().score(texts, method.index(videos), KeyedNoise(0, "per-text"))
    assert_close(tile.scores, expected, rtol=0, atol=1e-12)


PAIRINGS = {
    "several captions, videos without any": [1, 0, 2, 1, 0, 3, 1, 2, 2],
    "one caption": list(range(7)),
}


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize(
    "config",
    [
        {"pooling": "text-conditioned"},
        {"pooling": "text-conditioned", "perturbation": "stp"},
        {"pooling": "text-conditioned", "perturbation": "dasp"},
        {"pooling": "mean", "perturbation": "stp"},
        {"fusion": "frame", "pooling": "text-conditioned", "perturbation": "dasp"},
        {"fusion": "sample", "pooling": "text-conditioned", "perturbation": "stp"},
        {"fusion": "frame", "pooling": "mean", "perturbation": "dasp"},
    ],
)
def test_released_scores_are_those_of_the_modules(
    config: dict[str, str], pairing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ComposedMethod, "own_captions", True)
    own = torch.tensor(PAIRINGS[pairing])
    method, (texts, videos) = random_composition(**config), random_corpus(texts=len(own))
    for mode in ("fresh", "per-text"):
        known = {"condition": "released", "pairing": own, "mode": mode}
        expected = scored(method, texts, videos, "modules", **known)
        monkeypatch.setattr("core.scoring.scoring.RELEASED_VIDEOS", 3)
        found = scored(method, texts, videos, "exact", **known)
        assert_close(found, expected, rtol=0, atol=1e-12, equal_nan=True)


def test_every_pair_has_one_score_in_the_released_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ComposedMethod, "own_captions", True)
    method, (texts, videos) = random_composition(pooling="text-conditioned"), random_corpus(texts=7)
    scores = scored(method, texts, videos, "exact", condition="released", pairing=torch.arange(7))
    assert scores.isfinite().all()


def test_tampered_algebra_is_caught_when_the_index_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    method, (_, videos) = random_composition(pooling="text-conditioned"), random_corpus()
    monkeypatch.setattr("methods.parts.pooling.attended.inverse_deviation", lambda *_: 1.0)
    with pytest.raises(
        BenchError,
        match=r"no longer matches the modules: .* methods/parts, or set evaluation\.engine",
    ):
        build_index(method, videos)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_what_float32_rounds_in_the_modules_is_no_other_formula(
    precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, _, videos = single(random_composition(), *random_corpus())
    plain = ComposedMethod.score

    def rounded(method: ComposedMethod, texts: Texts, *rest: Any) -> Tensor:
        return plain(method, texts, *rest) + (1e-3 if texts.embeds.dtype == precision else 0.0)

    monkeypatch.setattr(ComposedMethod, "score", rounded)
    if precision == torch.float32:
        assert build_index(method, videos)
    else:
        with pytest.raises(BenchError, match="no longer matches the modules"):
            build_index(method.double(), videos.map(lambda t: t.double() if t.is_floating_point() else t))


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3])
def test_the_self_check_does_not_depend_on_the_scale_of_the_scores(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, _, videos = single(random_composition(), *random_corpus())
    exact = method.exact
    assert exact is not None
    plain, algebra = ComposedMethod.score, type(exact).score
    monkeypatch.setattr(ComposedMethod, "score", lambda *given: scale * plain(*given))
    monkeypatch.setattr(type(exact), "score", lambda *given: scale * algebra(*given))
    assert build_index(method, videos)
    monkeypatch.setattr(type(exact), "score", lambda *given: 1.001 * scale * algebra(*given))
    with pytest.raises(BenchError, match="no longer matches the modules"):
        build_index(method, videos)


@pytest.mark.slow
def test_fresh_and_per_text_noise_rank_alike() -> None:
    method = random_composition(pooling="text-conditioned", perturbation="stp")
    generator = torch.Generator().manual_seed(5)
    texts, videos = random_corpus(texts=120, videos=120)
    texts.embeds.copy_(videos.frames.mean(1) + 0.6 * torch.randn(120, WIDTH, generator=generator).double())
    index = build_index(method, videos)
    recall = {}
    for mode, seed in product(("fresh", "per-text"), range(20)):
        noise = KeyedNoise(seed, mode)
        scores = torch.cat(
            [tile.scores for tile in score_tiles(method, texts, index, noise, tile_bytes=2**30)]
        )
        found = scores.topk(5, dim=1).indices == torch.arange(120)[:, None]
        recall.setdefault(mode, []).append(found.any(1).double().mean() * 100)
    fresh, shared = (torch.stack(recall[mode]) for mode in ("fresh", "per-text"))
    error = ((fresh.var() + shared.var()) / 20).sqrt()
    assert 5 < fresh.mean() < 95
    assert (fresh.mean() - shared.mean()).abs() < 4 * error
