"""Videos that cannot be used: refused, counted or dropped, and the protocol says which."""

from pathlib import Path

import pytest

from core.dataset import Dataset, Split, Video
from core.datasets.holdout import held_out
from core.datasets.missing import absence, apply_missing_policy, mark_absent
from core.errors import BenchError


def split(prefix: str, videos: int) -> Split:
    names = [f"{prefix}{i}" for i in range(videos)]
    return Split(
        videos=tuple(Video(name, Path(name)) for name in names),
        captions=tuple(f"{kind} caption of {name}" for name in names for kind in ("first", "second")),
        video_of_caption=tuple(i for i in range(videos) for _ in range(2)),
    )


def dataset() -> Dataset:
    return Dataset("toy", "f", "m", {"train": split("train", 4), "test": split("test", 3)}, {"window": "all"})


REASONS = {"train1": "no file train1.mp4 under DIR", "test2": "no file test2.mp4 under DIR"}


def test_fail_names_counts_first_reason_and_mend_the_test_first() -> None:
    with pytest.raises(BenchError) as caught:
        mark_absent(dataset(), REASONS, "fail")
    assert str(caught.value) == (
        "toy: 1 of 4 train and 1 of 3 test videos cannot be used; "
        "first: test2 (no file test2.mp4 under DIR); "
        "name the right folder with bench data add, or pass --missing count-as-miss or drop to go on"
    )
    assert mark_absent(dataset(), {}, "fail") == dataset()


def test_count_as_miss_keeps_the_split_and_its_fingerprints() -> None:
    settled = apply_missing_policy(mark_absent(dataset(), REASONS, "count-as-miss"), "count-as-miss")
    assert settled.splits["test"].absent == {2}
    assert settled.splits["test"].fingerprint == dataset().splits["test"].fingerprint
    assert settled.fingerprint == dataset().fingerprint
    assert settled.protocol["missing"] == (
        "count-as-miss: 1 of 4 train and 1 of 3 test videos cannot be used, their queries rank last, they "
        "are not trained on: train1 (no file train1.mp4 under DIR); test2 (no file test2.mp4 under DIR)"
    )
    assert [video.id for video in settled.videos] == ["test0", "test1", "train0", "train2", "train3"]


def test_drop_shrinks_the_split_and_changes_the_fingerprints() -> None:
    settled = apply_missing_policy(mark_absent(dataset(), REASONS, "drop"), "drop")
    assert [video.id for video in settled.splits["train"].videos] == ["train0", "train2", "train3"]
    assert settled.splits["train"].video_of_caption == (0, 0, 1, 1, 2, 2)
    assert settled.splits["train"].captions[2] == "first caption of train2"
    assert settled.splits["test"].fingerprint != dataset().splits["test"].fingerprint
    assert settled.fingerprint != dataset().fingerprint
    assert settled.protocol["missing"].startswith("drop: 1 of 4 train and 1 of 3 test videos")
    assert absence(settled) == ""


def test_what_is_found_out_later_adds_to_what_was_known() -> None:
    first = mark_absent(dataset(), REASONS, "drop")
    both = apply_missing_policy(mark_absent(first, {"test0": "no picture"}, "drop"), "drop")
    assert [video.id for video in both.splits["test"].videos] == ["test1"]
    assert "2 of 3 test" in both.protocol["missing"]
    assert both.protocol["missing"].endswith("test0 (no picture); test2 (no file test2.mp4 under DIR)")


def test_ten_videos_are_named_and_the_others_counted() -> None:
    many = Dataset("toy", "f", "m", {"test": split("v", 13)})
    lost = mark_absent(many, {f"v{i}": "gone" for i in range(12)}, "drop")
    said = apply_missing_policy(lost, "drop").protocol["missing"]
    assert said.endswith("v8 (gone); v9 (gone); and 2 more") and "v10" not in said


@pytest.mark.parametrize("policy", ["count-as-miss", "drop"])
def test_nothing_left_of_a_split_is_an_error_under_every_policy(policy: str) -> None:
    with pytest.raises(BenchError, match="toy: none of the 3 test videos can be used; first: test0 .gone."):
        mark_absent(dataset(), dict.fromkeys(("test0", "test1", "test2"), "gone"), policy)


def test_a_whole_data_set_says_nothing() -> None:
    assert apply_missing_policy(dataset(), "drop") == dataset()


def test_held_out_videos_do_not_depend_on_order_or_on_other_videos_sources() -> None:
    videos = [f"v{i}" for i in range(100)]
    chosen = held_out(videos, 0.1, "toy")
    assert len(chosen) == 10
    assert held_out(videos[::-1], 0.1, "toy") == chosen
    assert held_out(videos, 0.1, "other") != chosen
    assert held_out(videos, 0.2, "toy") > chosen
    assert held_out(videos, 0, "toy") == set()


def test_held_out_videos_come_in_whole_sources() -> None:
    source = {f"v{i}": f"film{i // 7}" for i in range(98)}
    chosen = held_out([f"v{i}" for i in range(100)], 0.15, "toy", source)
    films = {source[video] for video in chosen if video in source}
    assert chosen == {v for v, film in source.items() if film in films} | (chosen - set(source))
    assert 15 <= len(chosen) < 15 + 7
