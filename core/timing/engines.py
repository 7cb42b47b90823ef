"""The two ways in which the product scores, measured: tiled modules and the exact engine."""

from functools import partial

from torch import Tensor

from core.batch import Texts, Videos
from core.method import Method
from core.plugin_errors import calling
from core.scoring.scoring import Engine, ScoringIndex, build_index, obstacle_to_algebra, score_matrix
from core.timing.arithmetic import profiled_gflop
from core.timing.clock import Seconds, affordable_sample, median_seconds, percentile, timed
from core.timing.memory import peak_growth
from core.timing.records import Implementation, Latency, Measurement, MedianSeconds
from core.timing.works import Work, timed_of

ENGINES: tuple[Implementation, ...] = ("tiled modules", "exact")
WARM_UP = 8
"""Videos of the first index, which is not timed."""
TIMED_QUERIES = 1000
"""Queries that a time is given for."""
LATENCIES = 100
"""Most single queries that are timed: as many as a 99th percentile needs."""
FEWEST_LATENCIES = 3
"""So many are timed however long they take."""


class EngineSide:
    """One implementation of a work against one gallery."""

    def __init__(
        self, implementation: Implementation, work: Work, method: Method, texts: Texts, videos: Videos
    ) -> None:
        self.implementation: Implementation = implementation
        self.work, self.method, self.texts, self.videos = work, method, texts, videos
        self.device = texts.embeds.device
        self.noise = work.noise_source()
        self.obstacle = obstacle_to_algebra(method) if implementation == "exact" else ""
        """Why it is not to be had; empty where it is."""
        self.index = self.built(videos[:WARM_UP])
        """Of the last `build`, at first of a few videos as a warm-up."""
        self.sampled = len(texts)
        """Texts that `query` scores."""
        self.peak: int | None = None
        """Bytes that `query` takes at most; None where the system does not say."""

    def built(self, videos: Videos) -> ScoringIndex:
        """The index of some videos."""
        engine: Engine = "exact" if self.implementation == "exact" else "modules"
        return build_index(self.method, videos, engine=engine)

    def build(self) -> None:
        """Makes all videos ready for any text."""
        self.index = self.built(self.videos)

    def scores(self, texts: Texts) -> Tensor:
        """All scores of some texts `(n, V)`."""
        return score_matrix(self.method, texts, self.index, noise=self.noise)

    def query(self) -> None:
        """Scores the sampled texts."""
        self.scores(self.texts[: self.sampled])

    def prepare(self, budget: float) -> None:
        """Chooses how many texts a measurement within `budget` busy seconds may score; a warm-up as well."""

        def score(count: int) -> Tensor:
            return self.scores(self.texts[:count])

        self.sampled = affordable_sample(score, len(self.texts), budget, self.device)
        self.peak = peak_growth(self.query, self.device)

    def latency(self, budget: float) -> Latency:
        """Queries one at a time, as many as `budget` wall seconds allow."""
        first = timed(partial(self.scores, self.texts[:1]), self.device).wall
        count = int(min(len(self.texts), LATENCIES, max(FEWEST_LATENCIES, budget / first)))
        singles = [
            timed(partial(self.scores, self.texts[row : row + 1]), self.device).wall * 1e3
            for row in range(count)
        ]
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
        return Latency(queries=count, **{name: percentile(singles, share) for name, share in shares.items()})

    def measurement(self, index: list[Seconds], queries: list[Seconds], budget: float) -> Measurement:
        """The row of this side from the times of its builds and its queries."""
        row = partial(
            Measurement,
            method=self.work.method,
            perturbation=self.work.perturbation,
            implementation=self.implementation,
            texts=len(self.texts),
            videos=len(self.videos),
        )
        if self.obstacle:
            return row(obstacle=self.obstacle)
        scale = TIMED_QUERIES / self.sampled
        seconds = median_seconds(queries) * scale
        with calling(self.method, "timed.cost"):
            cost = timed_of(self.method).cost(exact=self.implementation == "exact")
        gflop = cost.gflop(self.sampled, len(self.videos)) if cost else None
        return row(
            sampled_texts=self.sampled if self.sampled < len(self.texts) else None,
            index=as_clock(median_seconds(index)),
            queries=as_clock(seconds),
            latency=self.latency(budget),
            peak_bytes=self.peak,
            gflop=None if gflop is None else gflop * scale,
            profiled_gflop=profiled_gflop(self.query) * scale,
            gflop_per_second=None if gflop is None else gflop * scale / seconds.busy,
        )


def as_clock(seconds: Seconds) -> MedianSeconds:
    """Seconds as a record."""
    return MedianSeconds(busy=seconds.busy, wall=seconds.wall)
