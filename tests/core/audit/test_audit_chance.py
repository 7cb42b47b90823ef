"""The band of chance and the optimism of many looks against closed forms and plain simulation."""

from math import comb

import pytest
import torch

from core.audit.chance import Recalls
from core.audit.noise_features import NoiseFeatures
from core.audit.selection import optimism
from core.audit.sound import as_loud, exchanged, louder, muted, shifted


def test_a_constant_scorer_gets_chance() -> None:
    found = Recalls.count([torch.zeros(50, 50), torch.ones(50, 50)])
    assert found.queries == 100
    for direction in ("t2v", "v2t"):
        assert [found.recall(direction, k) for k in (1, 5, 10)] == pytest.approx([2.0, 10.0, 20.0])
    assert found.at_chance


def test_a_perfect_scorer_is_outside_the_band() -> None:
    assert not Recalls.count([torch.eye(50)]).at_chance


@pytest.mark.parametrize("k", [1, 5, 10])
def test_the_band_leaves_half_a_ten_thousandth_in_each_tail(k: int) -> None:
    found = Recalls.count([torch.zeros(200, 200)] * 3)
    low, high = (round(bound * 6) for bound in found.band(k))
    p = k / 200

    def probability(hits: range) -> float:
        return sum(comb(600, h) * p**h * (1 - p) ** (600 - h) for h in hits)

    assert probability(range(low)) <= 0.00005
    assert probability(range(high + 1, 601)) <= 0.00005
    assert probability(range(low + 1)) > 0.00005
    assert probability(range(high, 601)) > 0.00005


def test_one_look_is_worth_nothing_and_fifty_what_normal_order_statistics_say() -> None:
    credit = torch.tensor([1.0, 0.0]).repeat(500)
    one_each = torch.arange(1000)
    assert optimism(credit, one_each, looks=1) == 0
    # R@1 50 on 1,000 queries: standard error 1.581 points; the best of 50 normals lies 2.249 of them above.
    assert optimism(credit, one_each, looks=50) == pytest.approx(1.581 * 2.249, abs=0.2)


def test_optimism_is_that_of_looks_drawn_one_by_one() -> None:
    credit = torch.rand(60, generator=torch.Generator().manual_seed(1))
    draws = torch.randint(60, (4000, 5, 60), generator=torch.Generator().manual_seed(2))
    best = 100 * credit[draws].mean(-1).max(1).values
    expected = float(best.mean() - 100 * credit.mean())
    assert optimism(credit, torch.arange(60), looks=5) == pytest.approx(expected, abs=0.25)


def test_clusters_that_stand_together_make_looks_luckier() -> None:
    credit = torch.tensor([1.0, 0.0]).repeat_interleave(10).repeat(20)
    assert optimism(credit, torch.arange(400) // 10, 20) > 2 * optimism(credit, torch.arange(400), 20)


def test_sound_is_muted_exchanged_as_loud_and_shifted_inside_the_clip() -> None:
    videos = NoiseFeatures.draw(1, 8, seed=0).videos
    assert videos.audio is not None
    assert videos.audio_valid is not None
    assert not muted(videos).audio.any()
    assert torch.equal(exchanged(videos).audio[1], videos.audio[0])
    assert torch.equal(exchanged(videos).audio[4], videos.audio[4])  # silent
    lengths = videos.audio.norm(dim=-1)
    assert not torch.allclose(as_loud(videos).audio[0], videos.audio[0])
    torch.testing.assert_close(as_loud(videos).audio.norm(dim=-1), lengths)
    torch.testing.assert_close(louder(videos).audio.norm(dim=-1), 3 * lengths)
    short = int(videos.audio_valid[3])
    assert short == 12
    moved = shifted(videos).audio
    assert moved is not None
    assert torch.equal(moved[3, :12], videos.audio[3, :12].roll(6, 0))
    assert torch.equal(moved[3, 12:], videos.audio[3, 12:])
