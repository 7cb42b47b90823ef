"""The arithmetic of the stopwatch, against closed forms and made clocks."""

import pytest
import torch

from core.timing import clock
from core.timing.arithmetic import gemm_rate, profiled_gflop
from core.timing.clock import Seconds, Stopwatch, affordable_sample, alternated, median_seconds, percentile
from core.timing.memory import peak_growth

CPU = torch.device("cpu")


class MadeTime:
    """Both clocks of the machine, moved by hand; the process gets half of what elapses."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now / 2

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MadeTime:
    made = MadeTime()
    monkeypatch.setattr(clock, "time", made)
    return made


def test_laps_of_one_name_add_up_on_both_clocks(made: MadeTime) -> None:
    watch = Stopwatch(CPU)
    for seconds in (2, 6):
        with watch.lap("loop"):
            made.sleep(seconds)
    with watch.lap("product"):
        made.sleep(1)
    assert watch.laps == {"loop": Seconds(4, 8), "product": Seconds(0.5, 1)}


def test_sides_take_turns(made: MadeTime) -> None:
    order = []
    times = alternated(
        {"a": lambda: order.append("a"), "b": lambda: (order.append("b"), made.sleep(2))}, 3, CPU
    )
    assert order == ["a", "b"] * 3
    assert times == {"a": [Seconds(0, 0)] * 3, "b": [Seconds(1, 2)] * 3}


def test_what_takes_longer_than_the_patience_is_not_repeated(made: MadeTime) -> None:
    times = alternated({"short": lambda: made.sleep(1), "long": lambda: made.sleep(9)}, 3, CPU, patience=2)
    assert {name: len(seconds) for name, seconds in times.items()} == {"short": 3, "long": 1}


@pytest.mark.parametrize(
    ("budget", "expected"),
    # An item takes half a busy second: 4 fit into 2 seconds, 16 into 8, 100 into 50.
    [(1, 4), (2, 4), (7.9, 4), (8, 16), (31.9, 16), (32, 64), (50, 100), (1000, 100)],
)
def test_the_sample_is_the_largest_that_the_budget_allows(
    made: MadeTime, budget: float, expected: int
) -> None:
    assert affordable_sample(made.sleep, 100, budget, CPU) == expected


def test_a_sample_is_never_larger_than_what_there_is(made: MadeTime) -> None:
    assert affordable_sample(made.sleep, 3, 1000, CPU) == 3


def test_the_median_is_taken_on_each_clock() -> None:
    assert median_seconds([Seconds(1, 30), Seconds(2, 10), Seconds(9, 20)]) == Seconds(2, 20)


def test_percentiles_of_a_hundred_evenly_spaced_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, 0.5) == pytest.approx(50.5)
    assert percentile(values, 0.95) == pytest.approx(95.05)
    assert percentile(values, 0.99) == pytest.approx(99.01)


@pytest.mark.parametrize(("share", "fewest"), [(0.5, 2), (0.95, 20), (0.99, 100)])
def test_a_percentile_needs_a_value_above_it(share: float, fewest: int) -> None:
    assert percentile([1.0] * (fewest - 1), share) is None
    assert percentile([1.0] * fewest, share) == 1.0


def test_the_peak_is_what_a_call_holds_at_once() -> None:
    megabytes = 64

    def call() -> None:
        for _ in range(3):  # one after the other, never together
            torch.ones(megabytes * 2**18)

    # the smallest of three: a busy kernel may count freed pages a moment longer, which only adds
    peaks = [peak for _ in range(3) if (peak := peak_growth(call, CPU)) is not None]
    assert min(peaks) == pytest.approx(megabytes * 2**20, rel=0.1)


def test_the_profiler_counts_products_and_not_what_is_element_by_element() -> None:
    left, right = torch.ones(3, 5), torch.ones(5, 7)
    assert profiled_gflop(lambda: (left @ right).exp() * 2) == pytest.approx(2 * 3 * 5 * 7 / 1e9)


def test_the_ceiling_is_the_arithmetic_of_a_product_by_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.timing.arithmetic.timed", lambda call, device: Seconds(0.5, 7))
    assert gemm_rate(CPU, side=100) == pytest.approx(2 * 100**3 / 0.5 / 1e9)
