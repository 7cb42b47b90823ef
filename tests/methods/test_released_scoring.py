"""The released evaluation, sentence by sentence, and what keeps the leak-free one clean."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from core.batch import Videos
from core.registry import registered_methods
from methods.gaid import Gaid
from methods.parts.pooling.text_conditioned import TextConditionedPooling
from methods.released import own_captions
from methods.released.captions import captions_by_slot
from methods.tmass import TMass
from tests.methods.naive_scores import Naive
from tests.methods.small_worlds import (
    TIGHT,
    naive_of,
    naive_sound,
    random_method,
    random_noise,
    random_texts,
    random_videos,
    released_scores,
)

PAIRING = torch.tensor([1, 0, 2, 1, 0, 3, 1])  # captions per video: 2, 3, 1, 1


def naive_released(naive: Naive, texts: Tensor, videos: Videos, pairing: Tensor, noise: Tensor) -> Tensor:
    """Videos are gated by their first caption; caption k meets videos pooled by their own caption k.

    There is no score where a video has none; the trial is chosen by the query's own pooling.
    """
    conditioned = naive.config.pooling in ("text-conditioned", "top-k", "attention")
    captions = [[int(t) for t in (pairing == v).nonzero()[:, 0]] for v in range(len(videos))]
    scores = torch.full((len(texts), len(videos)), torch.nan, dtype=torch.float64)
    for n, v in product(range(len(texts)), range(len(videos))):
        slot = captions[int(pairing[n])].index(n)
        if conditioned and slot >= len(captions[v]):
            continue
        own = texts[captions[v][slot]] if conditioned else None
        sound = naive_sound(naive, videos, v)
        gate = texts[captions[v][0]]
        scores[n, v] = naive.score(
            texts[n], videos.frames[v], sound, videos.frame_mask[v], noise[n, v], gate, own
        )
    return scores


@pytest.mark.parametrize(
    ("method", "config"),
    [
        (TMass, {}),
        (TMass, {"pooling": "mean"}),
        (TMass, {"fusion": "token"}),
        (TMass, {"perturbation": "none"}),
        (Gaid, {}),
        (Gaid, {"pooling": "mean"}),
        (Gaid, {"pooling": "top-k"}),
        (Gaid, {"perturbation": "stp", "fusion": "sample"}),
        (Gaid, {"fusion": "gated-transformer"}),
    ],
)
def test_released_scores_follow_the_description(method: type, config: dict[str, str]) -> None:
    built = random_method(method=method, **config)
    texts, videos, noise = random_texts(7), random_videos(4), random_noise(7, 4)
    scores = released_scores(built, texts, videos, PAIRING, noise)
    expected = naive_released(naive_of(built), texts.embeds, videos, PAIRING, noise.table)
    assert_close(scores, expected, equal_nan=True, **TIGHT)


def test_released_scores_do_not_depend_on_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    built = random_method(method=Gaid, perturbation="stp")
    texts, videos, noise = random_texts(7), random_videos(4), random_noise(7, 4)
    whole = released_scores(built, texts, videos, PAIRING, noise)
    monkeypatch.setattr(own_captions, "TILE_BYTES", 1)
    assert_close(released_scores(built, texts, videos, PAIRING, noise), whole, equal_nan=True, **TIGHT)


def test_a_video_without_captions_has_no_released_score() -> None:
    built = random_method(method=TMass)
    pairing = torch.tensor([0, 2, 2])
    scores = released_scores(built, random_texts(3), random_videos(4), pairing, random_noise(3, 4))
    assert scores[:, [1, 3]].isnan().all()
    assert scores[:2, [0, 2]].isfinite().all()


def test_overwriting_what_queries_pool_changes_nothing_released(monkeypatch: pytest.MonkeyPatch) -> None:
    # The proof of the leak: only features pooled by a video's own caption enter GAID's released matrix.
    built = random_method(method=Gaid)
    texts, videos, noise = random_texts(4), random_videos(4), random_noise(4, 4)
    pairing = torch.arange(4)
    before = released_scores(built, texts, videos, pairing, noise)
    original = TextConditionedPooling.forward

    def spoiled(self, texts, videos):  # type: ignore[no-untyped-def]
        pooled = original(self, texts, videos)
        if pooled.vector.shape[1] > 1:  # one column: a video beside its own caption
            pooled.vector.fill_(torch.nan)
        return pooled

    monkeypatch.setattr(TextConditionedPooling, "forward", spoiled)
    with torch.no_grad():
        assert_close(released_scores(built, texts, videos, pairing, noise), before, **TIGHT)


@pytest.mark.parametrize("name", sorted(registered_methods()))
def test_the_pairing_moves_released_scores_of_tmass_and_gaid_only(name: str) -> None:
    built = random_method(method=registered_methods()[name])
    texts, videos, noise = random_texts(4), random_videos(4), random_noise(4, 4)
    if built.released is None:
        pytest.skip("its released evaluation is the leak-free one: there is no pairing to move")
    straight, rolled = torch.arange(4), torch.arange(4).roll(1)
    one = released_scores(built, texts, videos, straight, noise)
    other = released_scores(built, texts, videos, rolled, noise)
    moved = float((one - other).abs().max().detach())
    assert moved > 1e-3 if name in ("tmass", "gaid") else moved == 0


def test_the_middle_protocol_gates_by_the_given_captions_and_pools_by_the_query() -> None:
    built = random_method(method=Gaid)
    naive, texts, videos, noise = naive_of(built), random_texts(3), random_videos(4), random_noise(3, 4)
    captions = random_texts(4, seed=9).embeds
    scores = built.score_gated_by(captions, texts, built.index(videos), noise)
    for n, v in product(range(3), range(4)):
        sound, real = naive_sound(naive, videos, v), videos.frame_mask[v]
        expected = naive.score(texts.embeds[n], videos.frames[v], sound, real, noise.table[n, v], captions[v])
        assert_close(scores[n, v], expected, **TIGHT)


def test_captions_are_numbered_among_those_of_their_video() -> None:
    slots, table = captions_by_slot(PAIRING, 5)
    assert slots.tolist() == [0, 0, 0, 1, 1, 0, 2]
    assert table.tolist() == [[1, 0, 2, 5, -1], [4, 3, -1, -1, -1], [-1, 6, -1, -1, -1]]
