"""Work that is timed in turn in one process: the medians of its processor time, and their ratio."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class Timed:
    """What one form of a work takes."""

    name: str
    seconds: float
    """Median processor time of a call."""


def in_turn(forms: Mapping[str, Callable[[], object]], rounds: int = 5) -> list[Timed]:
    """Each form once per round, after a round that only warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(rounds + 1):
        for name, work in forms.items():
            begun = time.process_time()
            work()
            if number:
                seconds[name].append(time.process_time() - begun)
    return [Timed(name, statistics.median(spent)) for name, spent in seconds.items()]


def table_of(title: str, found: list[Timed], unit: float = 1e3, per: str = "ms") -> Table:
    """The times, and how many times as long as the last form each takes."""
    table = Table(title, f"{per}, CPU", f"ratio to {found[-1].name}")
    for timed in found:
        ratio = timed.seconds / found[-1].seconds
        table.add_row(timed.name, f"{unit * timed.seconds:,.2f}", f"{ratio:.2f}")
    return table
