"""Tables, text and picture of a timing study, from made measurements with round numbers."""

import csv
from pathlib import Path

import pytest

from core.timing.records import Implementation, Latency, Measurement, MedianSeconds, Study
from reports.timing.figure import timing_figure
from reports.timing.story import added_seconds, by_perturbation, factor, story
from reports.timing.tables import figure, measurements_table, perturbation_tables
from reports.timing.write import write_timing

SECONDS: dict[Implementation, dict[str, float]] = {
    "as released": {"none": 10, "dasp": 20, "stp-fresh": 110},
    "tiled modules": {"none": 5, "dasp": 6, "stp-fresh": 30, "stp-per-text": 15},
    "exact": {"none": 1, "dasp": 2, "stp-fresh": 8, "stp-per-text": 6},
}


def measured(implementation: Implementation, perturbation: str, seconds: float, videos: int) -> Measurement:
    return Measurement(
        method="gaid",
        perturbation=perturbation,
        implementation=implementation,
        texts=1000,
        videos=videos,
        sampled_texts=50 if implementation == "tiled modules" else None,
        sampled_videos=64 if implementation == "as released" else None,
        index=None if implementation == "as released" else MedianSeconds(busy=0.25, wall=0.5),
        queries=MedianSeconds(busy=seconds, wall=2 * seconds),
        latency=Latency(queries=20, p50=1.5, p95=2.5, p99=None),
        peak_bytes=3_000_000,
        gflop=40.0,
        profiled_gflop=30.0,
        gflop_per_second=40.0 / seconds,
    )


def made_study(*sizes: int, leave_out: tuple[str, str] = ("", "")) -> Study:
    rows = [
        measured(implementation, perturbation, seconds * videos / 1000, videos)
        for videos in sizes
        for implementation, costs in SECONDS.items()
        for perturbation, seconds in costs.items()
        if (implementation, perturbation) != leave_out
    ]
    rows.append(
        Measurement(
            method="gaid",
            perturbation="stp-per-text",
            implementation="as released",
            texts=1000,
            videos=sizes[0],
            obstacle="draws for every pair",
        )
    )
    return Study(
        device="a processor",
        clock="CPU",
        threads=1,
        torch="2",
        gemm_gflop_per_second=80,
        frames=12,
        width=512,
        trials=20,
        repeats=3,
        rows=tuple(rows),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (0.012345, "0.0123"), (3.14159, "3.14"), (98.25, "98.2"), (12345.0, "12,300")],
)
def test_figures_have_three_digits(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_every_measurement_is_a_row_and_every_obstacle_a_note() -> None:
    table = measurements_table(made_study(1000))
    rows = {(row[1], row[2]): dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert len(rows) == len(table.rows) == 11
    tiled = rows["stp-fresh", "tiled modules"]
    assert tiled["sample"] == "50 texts"
    assert (tiled["index s"], tiled["CPU s"], tiled["wall s"]) == ("0.25", "30", "60")
    assert (tiled["p50 ms"], tiled["p95 ms"], tiled["p99 ms"]) == ("1.5", "2.5", "–")
    assert (tiled["peak MB"], tiled["GFLOP"], tiled["profiler"]) == ("3", "40", "30")
    assert (rows["none", "exact"]["GFLOP/s"], rows["none", "exact"]["of GEMM"]) == ("40", "50 %")
    assert rows["none", "as released"]["sample"] == "64 x 64"
    assert "gaid, stp-per-text, as released: draws for every pair." in table.notes


def test_what_a_perturbation_costs_is_held_against_the_papers_table() -> None:
    [table] = perturbation_tables(made_study(1000))
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["as released"] == ["10", "20", "110", "–", "5.5x", "–"]
    assert rows["exact"] == ["1", "2", "8", "6", "4x", "3x"]
    assert rows["GAID's table 6: 1,000 videos, its own hardware"] == ["6.1", "6.5", "98.2", "–", "15.1x", "–"]


def test_the_text_splits_what_stp_adds_into_shares_that_sum_to_all_of_it() -> None:
    costs = by_perturbation(made_study(1000).rows, "gaid", 1000)
    assert added_seconds(costs, "as released", "stp-fresh") == 100
    assert factor(costs, "exact", "stp-per-text") == 3
    first, second = story(costs)
    for ratio in ("15.1x", "5.5x", "5.0x", "2.5x", "3.0x"):
        assert ratio in first
    # 100 s as released, 25 s by tiles, 10 s with one draw per text, 5 s by algebra.
    for share in ("75 % are loops", "15 % noise", "5 % vectors", "5.0 % (5 s) are the method"):
        assert share in second


@pytest.mark.parametrize(
    "missing", [("exact", "none"), ("as released", "stp-fresh"), ("tiled modules", "dasp")]
)
def test_nothing_is_told_where_a_step_was_not_measured(missing: tuple[str, str]) -> None:
    assert story(by_perturbation(made_study(1000, leave_out=missing).rows, "gaid", 1000)) == []


def test_the_picture_is_doubly_logarithmic_with_a_line_per_side() -> None:
    [axis] = timing_figure(made_study(1000, 5000)).axes
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    assert len(axis.lines) == 11
    lines = {(line.get_color(), line.get_linestyle()) for line in axis.lines}
    assert len(lines) == 11
    assert all(list(line.get_xdata()) == [1000, 5000] for line in axis.lines)


def test_everything_is_written_and_the_json_reads_back(tmp_path: Path) -> None:
    study = made_study(1000, 5000)
    tables, paths = write_timing(study, tmp_path)
    assert {path.name for path in paths} == {path.name for path in tmp_path.iterdir()}
    assert len(tables) == len(list(tmp_path.glob("*.csv")))
    assert Study.model_validate_json((tmp_path / "timing.json").read_text()) == study
    assert (tmp_path / "timing.png").read_bytes().startswith(b"\x89PNG")
    assert "STP takes 15.1x" in (tmp_path / "report.md").read_text()
    with (tmp_path / "time-of-scoring-per-1000-queries.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 22
