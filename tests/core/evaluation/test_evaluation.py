"""Scoring a checkpoint: what selects it, what rescoring may see, and what is refused."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from core.errors import BenchError
from core.evaluation.evaluation import bank_of, both_directions, recall_at_1, rescored
from core.evaluation.split_scores import encode, scores_of
from core.retriever import SplitData


def test_recall_at_1_is_the_share_of_captions_that_find_their_video(
    make_retriever: Callable, data: dict[str, SplitData], tmp_path: Path
) -> None:
    retriever, spec = make_retriever("clip4clip")
    split = data["test-multi"]
    with torch.no_grad():
        texts = retriever.encode_texts(split).embeds.double()
        frames = retriever.encode_videos(split).frames.double()
    videos = torch.nn.functional.normalize(torch.nn.functional.normalize(frames, dim=-1).mean(1), dim=-1)
    cosines = torch.nn.functional.normalize(texts, dim=-1) @ videos.T
    credit = 0.0
    for text, own in enumerate(split.pairing.tolist()):
        difference = cosines[text] - cosines[text, own]
        if not (difference > 1e-6).any():
            credit += 1 / int((difference.abs() <= 1e-6).sum())
    assert recall_at_1(retriever, split, spec, tmp_path) == pytest.approx(
        100 * credit / len(split.tokens), abs=1e-3
    )


def test_a_checkpoint_is_selected_without_a_look_at_the_released_condition(
    make_retriever: Callable,
    data: dict[str, SplitData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    retriever, spec = make_retriever("gaid")

    def forbidden(*_: object) -> Tensor:
        raise AssertionError("the pairing was shown to the selection")

    monkeypatch.setattr(retriever.method.released, "score", forbidden)
    monkeypatch.setattr(retriever.method.released, "score_by_algebra", forbidden)
    assert 0 <= recall_at_1(retriever, data["val"], spec, tmp_path) <= 100


def test_validation_leaves_random_state_weights_and_gradients_alone(
    make_retriever: Callable, data: dict[str, SplitData], tmp_path: Path
) -> None:
    retriever, spec = make_retriever("tmass")
    retriever.train()
    before, state = retriever.trained_state(), torch.get_rng_state()
    recall_at_1(retriever, data["val"], spec, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in retriever.trained_state().items())
    assert torch.is_grad_enabled()


def test_only_leak_free_scoring_shares_its_noise_between_videos(
    make_retriever: Callable, data: dict[str, SplitData]
) -> None:
    def scores(condition: str, noise: str) -> Tensor:
        retriever, spec = make_retriever("tmass", config__noise=noise)
        encoded = encode(retriever, data["val"], spec, (condition,))
        return scores_of(retriever, encoded, condition, spec)

    assert not torch.equal(scores("leak-free", "per-text"), scores("leak-free", "fresh"))
    assert torch.equal(scores("released", "per-text"), scores("released", "fresh"))


def test_scores_depend_on_the_noise_seed_and_on_nothing_drawn_before(
    make_retriever: Callable, data: dict[str, SplitData]
) -> None:
    def scores(seed: int) -> Tensor:
        retriever, spec = make_retriever("tmass", seeds__noise=seed)
        torch.rand(3)
        return scores_of(retriever, encode(retriever, data["val"], spec), "leak-free", spec)

    assert torch.equal(scores(0), scores(0))
    assert not torch.equal(scores(0), scores(1))


@pytest.mark.parametrize("size", [1, 2, 7, 319, 320, 5000])
def test_the_bank_of_queries_is_spread_evenly_over_its_split(size: int, data: dict[str, SplitData]) -> None:
    split = data["train"]
    bank = bank_of(split, size)
    position = {tuple(row): i for i, row in reversed(list(enumerate(split.tokens.tolist())))}
    assert len(bank.tokens) == len(bank.pairing) == min(size, len(split.tokens))
    rows = [position[tuple(row)] for row in bank.tokens.tolist()]
    assert rows[0] == 0
    if size in (2, 7):
        gaps = np.diff(rows)
        assert rows[-1] >= len(split.tokens) - 2
        assert max(gaps) - min(gaps) <= 2
    if size >= len(split.tokens):
        assert torch.equal(bank.tokens, split.tokens)


def test_rescored_columns_follow_their_formulas(make_retriever: Callable, data: dict[str, SplitData]) -> None:
    retriever, spec = make_retriever("clip4clip", evaluation__qb_bank="val", evaluation__qb_bank_size=20)
    encoded = encode(retriever, data["test"], spec)
    scores = scores_of(retriever, encoded, "leak-free", spec)
    found = {
        name: (label, matrix)
        for name, label, matrix in rescored(retriever, encoded, scores, "leak-free", data, spec)
    }
    assert list(found) == ["none", "dsl", "qb-norm"]
    raw = scores.double().numpy()
    assert torch.equal(found["none"][1], scores)
    weights = np.exp(100 * raw - (100 * raw).max(0))
    np.testing.assert_allclose(found["dsl"][1].numpy(), raw * weights / weights.sum(0), rtol=1e-3, atol=1e-6)
    bank = bank_of(data["val"], 20)
    with torch.no_grad():
        texts = torch.nn.functional.normalize(retriever.encode_texts(bank).embeds.double(), dim=-1)
        frames = torch.nn.functional.normalize(retriever.encode_videos(data["test"]).frames.double(), dim=-1)
    banked = (texts @ torch.nn.functional.normalize(frames.mean(1), dim=-1).T).numpy()
    hubs = set(banked.argmax(1).tolist())
    expected = raw.copy()
    for row in range(len(raw)):
        if int(raw[row].argmax()) in hubs:
            expected[row] = np.exp(20 * raw[row]) / np.exp(20 * banked).sum(0)
    np.testing.assert_allclose(found["qb-norm"][1].numpy(), expected, rtol=1e-3, atol=1e-6)
    assert "transductive" in found["dsl"][0]
    assert all(part in found["qb-norm"][0] for part in ("bank-based", "validation", "20 captions"))


def test_the_released_condition_has_no_bank(make_retriever: Callable, data: dict[str, SplitData]) -> None:
    retriever, spec = make_retriever("clip4clip")
    encoded = encode(retriever, data["val"], spec)
    scores = scores_of(retriever, encoded, "released", spec)
    names = [name for name, _, _ in rescored(retriever, encoded, scores, "released", data, spec)]
    assert names == ["none", "dsl"]


def test_only_the_released_condition_may_leave_scores_undefined() -> None:
    scores = torch.rand(4, 4)
    scores[1, 2] = torch.nan
    with pytest.raises(BenchError, match="text 1 with video 2 is nan"):
        both_directions(scores, torch.arange(4), 1e-6, "leak-free")
    t2v, v2t = both_directions(scores, torch.arange(4), 1e-6, "released")
    assert (len(t2v), len(v2t)) == (4, 4)


def test_every_protocol_that_was_asked_for_is_written(evaluated: Path) -> None:
    entries = json.loads((evaluated / "metrics.json").read_text())["results"]
    found = [
        (*(entry["protocol"][key] for key in ("split", "condition", "rescoring")), entry["direction"])
        for entry in entries
    ]
    every = product(
        ("test", "test-multi"), ("leak-free", "released"), ("none", "dsl", "qb-norm"), ("t2v", "v2t")
    )
    # A bank speaks about the gallery without its own captions, and its rows stand on two scales.
    assert set(found) == {
        (split, condition, kind, direction)
        for split, condition, kind, direction in every
        if kind != "qb-norm" or (condition == "leak-free" and direction == "t2v")
    }
    assert len(found) == len(set(found))


def test_a_gallery_need_not_be_square(evaluated: Path) -> None:
    entries = json.loads((evaluated / "metrics.json").read_text())["results"]
    sizes = {
        entry["direction"]: (entry["protocol"]["queries"], entry["protocol"]["gallery"])
        for entry in entries
        if entry["protocol"]["split"] == "test-multi"
    }
    texts, videos = sizes["t2v"]
    assert texts > videos == 40
    assert sizes["v2t"] == (40, 40)


def test_undefined_queries_are_counted_and_only_released_scoring_has_any(evaluated: Path) -> None:
    table = pd.read_parquet(evaluated / "queries.parquet")
    for entry in json.loads((evaluated / "metrics.json").read_text())["results"]:
        protocol, undefined = entry["protocol"], entry["metrics"]["expected"]["undefined"]
        keys = ("split", "condition", "rescoring")
        rows = table[(table["direction"] == entry["direction"])]
        rows = rows[(rows[list(keys)] == [protocol[key] for key in keys]).all(axis=1)]
        assert len(rows) == protocol["queries"]
        assert int(rows["rank_expected"].isna().sum()) == undefined
        assert undefined == 0 or protocol["condition"] == "released"


def test_released_pooling_has_no_score_for_videos_with_fewer_captions(
    evaluated: Path, data: dict[str, SplitData]
) -> None:
    """Caption k is compared with videos pooled by their own caption k; a video without one is NaN."""
    table = pd.read_parquet(evaluated / "queries.parquet")
    chosen = {"split": "test-multi", "condition": "released", "rescoring": "none", "direction": "t2v"}
    rows = table[(table[list(chosen)] == list(chosen.values())).all(axis=1)]
    pairing = data["test-multi"].pairing.tolist()
    captions = [pairing.count(video) for video in range(40)]
    slot = [pairing[:text].count(video) for text, video in enumerate(pairing)]
    without = [sum(count <= k for count in captions) for k in slot]
    assert max(without) > 0
    assert all(rank > count for rank, count in zip(rows["rank_optimistic"], without, strict=True))


def test_the_best_candidate_is_the_own_video_of_exactly_the_queries_that_rank_it_first(
    evaluated: Path,
) -> None:
    keys = ["split", "condition", "rescoring", "direction", "query"]
    first = pd.read_parquet(evaluated / "top.parquet").query("position == 1").set_index(keys)["video"]
    table = pd.read_parquet(evaluated / "queries.parquet").set_index(keys)
    leak_free = table[table.index.get_level_values("condition") == "leak-free"]
    certain = leak_free[leak_free["rank_optimistic"] == leak_free["rank_pessimistic"]]
    assert len(certain) > 100
    assert ((first.loc[certain.index] == certain["video"]) == (certain["rank_optimistic"] == 1)).all()


def test_a_result_says_what_scored_and_how_precisely(evaluated: Path) -> None:
    for entry in json.loads((evaluated / "metrics.json").read_text())["results"]:
        assert (entry["protocol"]["engine"], entry["protocol"]["matmul_precision"]) == ("exact", "float32")


@pytest.mark.parametrize(
    ("overrides", "engine"),
    [
        ({"evaluation__engine": "modules"}, "modules (as asked)"),
        ({"config__fusion": "token"}, "modules (token fusion)"),
    ],
)
def test_scores_by_the_modules_say_why(
    make_retriever: Callable, data: dict[str, SplitData], overrides: dict[str, str], engine: str
) -> None:
    retriever, spec = make_retriever("gaid", **overrides)
    assert encode(retriever, data["val"], spec).index.engine == engine
