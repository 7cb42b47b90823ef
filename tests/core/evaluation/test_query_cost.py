"""A time that other work has disturbed is not passed off as a measurement."""

import pytest

from core.evaluation.query_cost import undisturbed


@pytest.mark.parametrize(
    ("wall", "busy", "expected"),
    [(1.0, 1.0, True), (1.0, 1.9, True), (1.0, 0.5, False), (1.2, 1.0, True), (1.3, 1.0, False)],
)
def test_on_a_cpu_a_process_that_waited_was_disturbed(wall: float, busy: float, expected: bool) -> None:
    assert undisturbed(wall, busy, on_gpu=False) == expected


@pytest.mark.parametrize(("fastest", "slowest", "expected"), [(1.0, 1.4, True), (1.0, 1.6, False)])
def test_on_a_gpu_repeats_must_agree(fastest: float, slowest: float, expected: bool) -> None:
    assert undisturbed(fastest, slowest, on_gpu=True) == expected
