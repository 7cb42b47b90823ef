"""The arithmetic counted by hand is what torch's counter sees, and what it is known not to see.

The counter knows products of matrices; lengths, sums and the points `t + x S` are element by element.
"""

import pytest
import torch

from core.scoring.scoring import build_index, score_matrix
from core.timing.arithmetic import profiled_gflop
from core.timing.works import Setting, Work, random_texts, random_videos

F, D, K, N, V = 4, 32, 3, 6, 10
SETTING = Setting(frames=F, width=D, trials=K)
CPU = torch.device("cpu")


def counts(work: Work, implementation: str, **config: object) -> tuple[int, int]:
    """Multiply-adds by hand and by torch."""
    method, texts = work.build(SETTING, **config), random_texts(N, SETTING, CPU)
    engine = "exact" if implementation == "exact" else "modules"
    index = build_index(method, random_videos(V, SETTING, CPU), engine=engine)
    profiled = profiled_gflop(lambda: score_matrix(method, texts, index, noise=work.noise_source()))
    by_hand = method.timed.cost(exact=implementation == "exact").gflop(N, V)
    return round(by_hand * 1e9 / 2), round(profiled * 1e9 / 2)


EXACT = [
    ("none", "exact", 0),
    ("dasp", "exact", 2 * D),
    # A product that is added in place is not seen; that of the still text is, and not counted by hand.
    ("stp-per-text", "exact", K * D - D),
    ("stp-fresh", "exact", 2 * K * D),  # the points and their lengths
]


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize(
    ("perturbation", "implementation", "unseen"),
    [
        ("none", "tiled modules", D),  # the pooled vector's length
        ("dasp", "tiled modules", 3 * D),  # and the point and its length
        ("stp-per-text", "tiled modules", (2 * K + 1) * D),  # of every trial
        ("stp-fresh", "tiled modules", (2 * K + 1) * D),
        *EXACT,
    ],
)
def test_what_the_counter_misses_without_a_gate_is_known(
    perturbation: str, implementation: str, unseen: int, heads: int
) -> None:
    by_hand, profiled = counts(Work("tmass", perturbation), implementation, heads=heads)
    assert by_hand - profiled == N * V * unseen


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize(("perturbation", "implementation", "unseen"), EXACT)
def test_what_the_counter_misses_behind_a_gate_is_the_same(
    perturbation: str, implementation: str, unseen: int, heads: int
) -> None:
    by_hand, profiled = counts(Work("gaid", perturbation), implementation, heads=heads)
    assert by_hand - profiled == N * V * unseen


def test_a_gate_per_pair_maps_every_frame_to_keys_and_values() -> None:
    by_hand, profiled = counts(Work("gaid", "none"), "tiled modules")
    mixing, length, per_tile = N * V * F * D, N * V * D, 2 * V * F * D
    assert by_hand - profiled == mixing + length - per_tile
    assert by_hand > (2 * F + 2) * N * V * D**2


@pytest.mark.parametrize("method", ["clip4clip", "avigate"])
def test_methods_that_pool_without_the_text_are_seen_whole(method: str) -> None:
    by_hand, profiled = counts(Work(method, "none"), "tiled modules")
    assert by_hand == profiled


def test_a_million_pairs_of_x_pool_are_half_a_teraflop() -> None:
    method = Work("xpool", "none").build(Setting())
    modules = method.timed.cost(exact=False).gflop(1000, 1000)
    assert modules == pytest.approx(2 * 1e6 * (512**2 + 2 * 12 * 512) / 1e9, rel=0.01)


def test_a_composition_that_nobody_has_counted_has_no_count() -> None:
    method = Work("tmass", "dasp").build(SETTING, pooling="mean")
    assert method.timed.cost(exact=False) is None
