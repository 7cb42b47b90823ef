"""Scoring and training of every fusion x pooling x perturbation, against one pair at a time."""

from itertools import product

import pytest
import torch
from torch.testing import assert_close

from tests.methods.naive_scores import cosine
from tests.methods.small_worlds import (
    FUSIONS,
    INTERACTIONS,
    PERTURBATIONS,
    POOLINGS,
    TIGHT,
    TRIALS,
    WIDTH,
    TableNoise,
    naive_of,
    naive_sound,
    random_method,
    random_noise,
    random_texts,
    random_videos,
)

PARTS = ("fusion", "pooling", "interaction", "perturbation")
COMPOSITIONS = list(product(FUSIONS, POOLINGS, INTERACTIONS, PERTURBATIONS))


@pytest.mark.parametrize(PARTS, COMPOSITIONS)
def test_scores_are_those_of_each_pair_alone(
    fusion: str, pooling: str, interaction: str, perturbation: str
) -> None:
    method = random_method(fusion=fusion, pooling=pooling, interaction=interaction, perturbation=perturbation)
    naive, texts, videos, noise = naive_of(method), random_texts(3), random_videos(4), random_noise(3, 4)
    scores = method.score(texts, method.index(videos), noise)
    sounds = [naive_sound(naive, videos, v) for v in range(4)]
    for n, v in product(range(3), range(4)):
        expected = naive.score(
            texts.embeds[n], videos.frames[v], sounds[v], videos.frame_mask[v], noise.table[n, v]
        )
        assert_close(scores[n, v], expected, **TIGHT)


@pytest.mark.parametrize(PARTS, COMPOSITIONS)
def test_training_on_all_pairs_is_scoring(
    fusion: str, pooling: str, interaction: str, perturbation: str
) -> None:
    # One trial and one draw per text make STP's scoring its training; alpha = 1 and noise 1 make DASP's.
    config = {
        "fusion": fusion,
        "pooling": pooling,
        "interaction": interaction,
        "perturbation": perturbation,
        "pairs": "all-pairs",
        "trials": 1,
    }
    method, texts, index = random_method(**config), random_texts(4), None
    index = method.index(random_videos(4))
    noise = torch.rand(4, 1, WIDTH, dtype=torch.float64)
    if perturbation == "dasp":
        noise.fill_(1.0)
        method.perturbation.alpha.data.fill_(1.0)
    trained = method.training_similarities(noise, texts, index).main
    assert_close(trained, method.score(texts, index, TableNoise(noise[:, None])), **TIGHT)


@pytest.mark.parametrize(
    ("fusion", "pooling"), list(product(("none", "frame", "token"), ("mean", "text-conditioned")))
)
@pytest.mark.parametrize("pairs", ["paired", "all-pairs"])
def test_training_similarities_follow_the_definition(fusion: str, pooling: str, pairs: str) -> None:
    method = random_method(fusion=fusion, pooling=pooling, perturbation="stp", pairs=pairs)
    naive, texts, videos = naive_of(method), random_texts(4), random_videos(4)
    noise = torch.rand(4, 1, WIDTH, dtype=torch.float64)
    ours = method.training_similarities(noise, texts, method.index(videos))
    frames, real = videos.frames, videos.frame_mask
    sounds = [naive_sound(naive, videos, v) for v in range(4)]

    def fused(
        i: int, j: int
    ) -> torch.Tensor:  # video j beside text i; paired training gates it by its own text
        return naive.fused(texts.embeds[j if pairs == "paired" else i], frames[j], sounds[j], real[j])

    for i, j in product(range(4), range(4)):
        pooled = naive.pooled(texts.embeds[i], fused(i, j), real[j])
        seen = i if pairs == "paired" else j
        radius = naive.radius(texts.embeds[i], fused(i, seen), real[seen])
        assert_close(ours.main[i, j], cosine(texts.embeds[i] + noise[i, 0] * radius, pooled), **TIGHT)
        anchor = torch.stack([naive.pooled(texts.embeds[k], fused(k, i), real[i]) for k in range(4)]).mean(0)
        step = (anchor - texts.embeds[i]) / (anchor - texts.embeds[i]).norm()
        support = texts.embeds[i] + step * naive.radius(texts.embeds[i], fused(i, i), real[i])
        assert_close(ours.support[i, j], cosine(support, pooled), **TIGHT)


@pytest.mark.parametrize(PARTS, COMPOSITIONS[::4])
def test_scores_do_not_depend_on_tiles_or_their_order(
    fusion: str, pooling: str, interaction: str, perturbation: str
) -> None:
    method = random_method(fusion=fusion, pooling=pooling, interaction=interaction, perturbation=perturbation)
    texts, index, noise = random_texts(5), method.index(random_videos(6)), random_noise(5, 6)
    whole = method.score(texts, index, noise)
    rows, columns = torch.tensor([3, 0, 4]), torch.tensor([5, 1])
    tile = method.score(texts[rows], index[columns], noise)
    assert_close(tile, whole[rows[:, None], columns], **TIGHT)
    assert_close(method.score(texts[2:3], index[4:5], noise), whole[2:3, 4:5], **TIGHT)


def test_an_index_does_not_depend_on_the_other_videos() -> None:
    method, videos = random_method(fusion="gated-transformer"), random_videos(5)
    alone = method.index(videos[3:4])
    assert_close(method.index(videos).videos.frames[3:4], alone.videos.frames, **TIGHT)


def test_noise_is_drawn_once_per_tile() -> None:
    calls = []

    class Counting(TableNoise):
        def draw(self, texts, videos, trials, width, prior):  # type: ignore[no-untyped-def]
            calls.append((len(texts), len(videos), trials, width, prior))
            return super().draw(texts, videos, trials, width, prior)

    method = random_method(pooling="text-conditioned", perturbation="stp", prior="normal", prior_std=0.2)
    method.score(random_texts(3), method.index(random_videos(4)), Counting(random_noise(3, 4).table))
    assert calls == [(3, 4, TRIALS, WIDTH, "normal")]


def test_normal_noise_is_scaled_by_its_standard_deviation() -> None:
    config = {"pooling": "text-conditioned", "perturbation": "stp"}
    uniform, normal = random_method(**config), random_method(**config, prior="normal", prior_std=0.2)
    texts, noise, videos = random_texts(3), random_noise(3, 4), random_videos(4)
    scaled = TableNoise(0.2 * noise.table)
    expected = uniform.score(texts, uniform.index(videos), scaled)
    assert_close(normal.score(texts, normal.index(videos), noise), expected, **TIGHT)
