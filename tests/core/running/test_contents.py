"""What a run's splits hold is said before it starts: what is left out, what is wrong, what is cut."""

from pathlib import Path
from types import SimpleNamespace

from core.dataset import Dataset, Split, Video
from core.datasets.missing import apply_missing_policy, mark_absent
from core.examples import first_names, in_lines
from core.media.sound_source import StatesFile
from core.running.contents import Cut, contents_in_words, cut_in_words, with_states, without_lost
from core.visible import LIMIT


def dataset() -> Dataset:
    videos = tuple(Video(name, Path(f"{name}.mp4")) for name in "abcde")
    split = Split(videos, ("one", "two", "three", "four", "five"), (0, 1, 2, 3, 4))
    return Dataset("mine", "f", "m", {"test": split})


STORE = SimpleNamespace(
    ids=("a", "b", "c", "d", "e"),
    states=(("damaged: 3 of 80 frames do not decode",), (), (), (), ()),
    status=("audible", "silent", "undecodable", "no-track", "audible"),
    reason=("", "digital silence", "no such file", "no audio track", ""),
    duration=(8.0, 8.0, 0.0, 8.0, 8.0),
    sound_ends=(8.0, 8.0, 0.0, 0.0, 5.0),
)


def test_all_that_is_left_out_or_wrong_is_said_by_name() -> None:
    marked = apply_missing_policy(mark_absent(dataset(), {"c": "no such file"}, "drop"), "drop")
    assert list(contents_in_words("mine", marked, STORE)) == [
        "mine holds test 4 videos, 4 captions; drop: 1 of 5 test videos cannot be used, they and their "
        "captions are left out: c (no such file)",
        "mine: 1 damaged: a (3 of 80 frames do not decode)",
        "mine: 1 silent: b (digital silence)",
        "mine: 1 no track: d (no audio track)",
        "mine: 1 shorter sound: e (ends 3.0 s before the picture)",
    ]


def test_the_protocol_says_the_same() -> None:
    assert with_states(dataset(), STORE).protocol == {
        "clips damaged": "1: a (3 of 80 frames do not decode)",
        "clips silent": "1: b (digital silence)",
        "clips bad sound": "1: c (no such file)",
        "clips no track": "1: d (no audio track)",
        "clips shorter sound": "1: e (ends 3.0 s before the picture)",
    }


def test_no_file_is_missing_only_where_all_can_be_used() -> None:
    whole = SimpleNamespace(**vars(STORE) | {"states": ((),) * 5, "status": ("audible",) * 5})
    whole.sound_ends = whole.duration
    assert list(contents_in_words("mine", dataset(), whole)) == [
        "mine holds test 5 videos, 5 captions; no file is missing"
    ]
    assert not with_states(dataset(), whole).protocol
    assert "no file is missing" not in "".join(contents_in_words("mine", dataset(), STORE))


def test_a_clip_with_an_encoders_states_is_not_without_a_track() -> None:
    video = Video("d", Path("d.mp4"), sound=StatesFile(Path("d.pt")))
    states = Dataset("mine", "f", "m", {"test": Split((video,), ("four",), (0,))})
    assert not with_states(states, STORE).protocol


def test_cut_captions_are_counted_with_those_of_absent_videos_and_go_with_dropped_ones() -> None:
    cut = {"test": Cut([("a", "a man " * 20), ("c", "three\nand more")], 5)}
    words = "2 of 5 test: a (a man a man a man a man a man a man a ma ...); c (three and more ...)"
    assert cut_in_words(cut) == words
    lost = {"c": "no such file"}
    kept = apply_missing_policy(mark_absent(dataset(), lost, "count-as-miss"), "count-as-miss")
    assert without_lost(cut, kept) == cut
    left = apply_missing_policy(mark_absent(dataset(), lost, "drop"), "drop")
    assert cut_in_words(without_lost(cut, left)).startswith("1 of 4 test: a (")
    assert cut_in_words({"test": Cut([], 5)}) == ""


def test_ten_names_are_given_in_lines_that_no_screen_cuts() -> None:
    found = [(f"clip {n}", "10 frames per second stated, 0.986 measured") for n in range(12)]
    lines = in_lines(f"12 stated rate wrong: {first_names(found)}")
    assert len(lines) > 1 and max(map(len, lines)) <= LIMIT
    text = " ".join(lines)
    assert all(f"clip {n} (" in text for n in range(10)) and "clip 10" not in text
    assert text.endswith("; and 2 more")
