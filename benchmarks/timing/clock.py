"""A clock that can be told to run faster, for work that is done on a sample only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ScalingClock:
    """Reads another clock; within `scaled` every second of that counts several times.

    So the time of a sample enters pytest-benchmark's statistics as the time of the whole, and everything
    that is made of them, its own table and its JSON, is scaled alike.
    """

    def __init__(self, source: Callable[[], float]) -> None:
        self.__name__ = f"scaling {source.__name__}"
        self.source = source
        self.ahead = 0.0
        """Seconds by which this clock is ahead of its source."""

    def __call__(self) -> float:
        """The time in seconds, from an arbitrary start."""
        return self.source() + self.ahead

    @contextmanager
    def scaled(self, factor: float) -> Iterator[None]:
        """Lets the time of the block count `factor` times."""
        start = self.source()
        yield
        self.ahead += (factor - 1) * (self.source() - start)
