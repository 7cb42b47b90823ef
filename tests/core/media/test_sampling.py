"""Frame sampling: recorded choices of the released code, closed forms, and edges."""

from pathlib import Path

import pytest

from core.errors import BenchError
from core.media.sampling import (
    PADDING,
    are_even,
    every_nth,
    one_per_second,
    one_per_second_by_time,
    segment_centres,
    segment_centres_by_time,
    segment_indices,
)
from methods.parity import check_file

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("file", ["frames_clip4clip", "frames_xpool_tmass"])
def test_both_rules_choose_the_recorded_frames(file: str) -> None:
    row = check_file(GOLDEN / f"{file}.safetensors")
    assert row.verdict == "agrees", row.message


@pytest.mark.parametrize(("segments", "length"), [(12, 25), (7, 3), (1, 100), (24, 1)])
def test_segments_of_one_odd_length_give_their_middle_frame(segments: int, length: int) -> None:
    expected = [length * i + (length - 1) // 2 for i in range(segments)]
    assert segment_indices(segments * length, segments) == expected


@pytest.mark.parametrize("total", [1, 5, 11, 12])
def test_a_short_video_gives_every_frame_once_and_then_repeats_its_last(total: int) -> None:
    assert segment_indices(total, 12) == list(range(total))
    assert segment_centres(total, 12) == [*range(total), *[total - 1] * (12 - total)]


@pytest.mark.parametrize(("total", "frames"), [(0, 12), (10, 0), (-1, 12)])
def test_segments_of_nothing_are_refused(total: int, frames: int) -> None:
    with pytest.raises(BenchError, match="must be at least 1"):
        segment_centres(total, frames)


def test_a_rate_is_cut_to_a_whole_number() -> None:
    indices, mask = one_per_second(301, 29.97, 12)
    assert indices == [*range(0, 301, 29), PADDING]
    assert mask == [True] * 11 + [False]


def test_a_rate_below_one_takes_every_frame_once() -> None:
    assert one_per_second(4, 0.2, 6) == ([0, 1, 2, 3, PADDING, PADDING], [True] * 4 + [False] * 2)


@pytest.mark.parametrize(
    ("fps", "step"),
    [(29.97, 30), (24000 / 1001, 24), (14.6, 15), (14.4, 14), (12.5, 12), (13.5, 14), (1.4, 1)],
)
def test_every_nth_frame_steps_by_the_nearest_whole_rate(fps: float, step: int) -> None:
    for total in (1, step, step + 1, 5 * step, 40 * step + 1):
        numbers = [number for number in range(total) if number % step == 0]
        if len(numbers) > 12:  # both ends, and the frames below even places between them
            numbers = [numbers[place * (len(numbers) - 1) // 11] for place in range(12)]
        padding = 12 - len(numbers)
        assert every_nth(total, fps, 12) == (
            numbers + [PADDING] * padding,
            [True] * len(numbers) + [False] * padding,
        )


@pytest.mark.parametrize("fps", [0.5, 0.3, 1e-6])
def test_every_nth_frame_at_a_rate_that_rounds_to_nothing_is_every_frame(fps: float) -> None:
    assert every_nth(4, fps, 6) == ([0, 1, 2, 3, PADDING, PADDING], [True] * 4 + [False] * 2)


def test_too_many_frames_are_kept_from_head_tail_or_evenly() -> None:
    assert one_per_second(100, 10, 4, "head")[0] == [0, 10, 20, 30]
    assert one_per_second(100, 10, 4, "tail")[0] == [60, 70, 80, 90]
    assert one_per_second(100, 10, 4, "uniform")[0] == [0, 30, 60, 90]


def test_a_video_without_frames_is_all_padding() -> None:
    assert one_per_second(0, 25, 3) == ([PADDING] * 3, [False] * 3)


@pytest.mark.parametrize(
    ("total", "fps", "frames"), [(10, 0.0, 12), (10, float("nan"), 12), (10, 25.0, 0), (-1, 25.0, 12)]
)
def test_an_impossible_request_is_refused(total: int, fps: float, frames: int) -> None:
    with pytest.raises(BenchError, match="cannot sample"):
        one_per_second(total, fps, frames)
    with pytest.raises(BenchError, match="cannot sample"):
        every_nth(total, fps, frames)


def test_frames_are_chosen_by_time_where_numbers_do_not_stand_for_times():
    times = [i / 10 for i in range(10)] + [1.0, 2.0, 3.0]  # ten in the first second, then one a second
    assert not are_even(times, 10.0, 4.0)
    assert segment_centres_by_time(times, 4.0, 4) == [5, 10, 11, 12]
    assert one_per_second_by_time(times, 4.0, 6) == (
        [5, 10, 11, 12, PADDING, PADDING],
        [True] * 4 + [False] * 2,
    )
    assert one_per_second_by_time(times, 4.0, 2) == ([5, 12], [True, True])


def test_frames_at_the_stated_rate_are_even_and_those_of_a_picture_that_stops_are_not():
    times = [0.02 + i / 25 for i in range(100)]
    assert are_even(times, 25.0, 4.02)
    assert not are_even(times, 25.0, 8.0)
    assert not are_even(times, 50.0, 4.02)
