"""The tables of a timing study: every measurement, and what a perturbation costs either way."""

from core.timing.records import IMPLEMENTATIONS, Measurement, Study
from reports.table import Table
from reports.timing.story import PAPER_SECONDS, busy_seconds, by_perturbation, factor, story

COLUMNS_OF_COSTS = ("none", "dasp", "stp-fresh", "stp-per-text")
CLOCKS = {
    "CPU": "CPU s: process time, added up over threads.",
    "GPU": "GPU s: time on the GPU, between events.",
}
"""What the busy clock shows."""


def figure(value: float | None, unit: str = "") -> str:
    """Three digits, or a dash where there is no figure."""
    return "–" if value is None else f"{float(f'{value:.3g}'):,g}{unit}"


def sample_of(row: Measurement) -> str:
    """What a time was measured on."""
    if row.sampled_videos is not None:
        return f"{row.sampled_videos} x {row.sampled_videos}"
    return "all" if row.sampled_texts is None else f"{row.sampled_texts} texts"


def measurement_cells(row: Measurement, ceiling: float) -> list[str]:
    """A measurement as it is printed."""
    clocks = [
        row.index and row.index.busy,
        row.queries and row.queries.busy,
        row.queries and row.queries.wall,
    ]
    latency = row.latency
    percentiles = [None] * 3 if latency is None else [latency.p50, latency.p95, latency.p99]
    rate = row.gflop_per_second
    return [
        row.method,
        row.perturbation,
        row.implementation,
        f"{row.videos:,}",
        sample_of(row),
        *map(figure, (*clocks, *percentiles)),
        figure(None if row.peak_bytes is None else row.peak_bytes / 1e6),
        *map(figure, (row.gflop, row.profiled_gflop, rate)),
        figure(None if rate is None else 100 * rate / ceiling, " %"),
    ]


def measurements_table(study: Study) -> Table:
    """Every measurement of a study."""
    columns = ["method", "perturbation", "implementation", "videos", "sample", "index s"]
    columns += [f"{study.clock} s", "wall s", "p50 ms", "p95 ms", "p99 ms", "peak MB"]
    columns += ["GFLOP", "profiler", "GFLOP/s", "of GEMM"]
    rows = [measurement_cells(row, study.gemm_gflop_per_second) for row in study.rows if not row.obstacle]
    obstacles = dict.fromkeys(
        f"{row.method}, {row.perturbation}, {row.implementation}: {row.obstacle}."
        for row in study.rows
        if row.obstacle
    )
    notes = [
        f"{study.device}, torch {study.torch}, {study.threads} thread(s), float32 without TF32; F = "
        f"{study.frames}, D = {study.width}, K = {study.trials}; medians of {study.repeats}, sides in turn.",
        f"{CLOCKS[study.clock]} The index, once per gallery, is not part of the other columns.",
        "sample: so many texts were scored, and their time is scaled up. `as released` runs on so many texts "
        "and videos; every stage is scaled by its own power of the size (pairs by the square, the last "
        "product by the cube), as if every video had a caption: a floor, for a small run fits the caches.",
        "p50, p95, p99: one query alone, wall time. peak: what scoring the sample takes above features and "
        "index.",
        "GFLOP: two per multiply-add, by hand; profiler: torch's counter, matrix products only. GEMM: "
        f"a float32 product does {study.gemm_gflop_per_second:.0f} GFLOP per {study.clock} second here.",
        *obstacles,
    ]
    return Table("Time of scoring per 1,000 queries", columns, rows, notes)


def perturbation_tables(study: Study) -> list[Table]:
    """Per method with more than one perturbation and per gallery: what each costs, and why."""
    tables = []
    for method, videos in dict.fromkeys((row.method, row.videos) for row in study.rows):
        costs = by_perturbation(study.rows, method, videos)
        if len({name for side in costs.values() for name in side}) < 2:
            continue
        rows = [
            [
                side,
                *(figure(busy_seconds(costs, side, name)) for name in COLUMNS_OF_COSTS),
                *(figure(factor(costs, side, name), "x") for name in COLUMNS_OF_COSTS[2:]),
            ]
            for side in IMPLEMENTATIONS
            if side in costs
        ]
        paper = [figure(PAPER_SECONDS.get(name)) for name in COLUMNS_OF_COSTS]
        ratio = PAPER_SECONDS["stp-fresh"] / PAPER_SECONDS["dasp"]
        rows.append(["GAID's table 6: 1,000 videos, its own hardware", *paper, figure(ratio, "x"), "–"])
        columns = ["implementation", *COLUMNS_OF_COSTS, "fresh / dasp", "per-text / dasp"]
        title = f"What a perturbation costs {method}, {study.clock} s per 1,000 queries and {videos:,} videos"
        tables.append(Table(title, columns, rows, story(costs)))
    return tables


def timing_tables(study: Study) -> list[Table]:
    """All tables of a study."""
    return [measurements_table(study), *perturbation_tables(study)]
