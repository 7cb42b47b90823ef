"""The file of video-side captions: what it may leave out, and one clear line for every mistake."""

import json
from pathlib import Path

import pytest

from core.errors import BenchError
from core.store.video_captions import VideoCaption, read_video_captions

LINES = [
    {"id": "a", "visual": "a red thing", "audio": "rain falls"},
    {"id": "b", "visual": "a blue thing"},
    {"id": "c", "audio": None},
    {"id": "elsewhere", "visual": "another data set's"},
]


def written(folder: Path, lines: list[object]) -> Path:
    file = folder / "captions.jsonl"
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return file


def test_sentences_and_videos_may_be_left_out(tmp_path: Path) -> None:
    found = read_video_captions(written(tmp_path, [*LINES, ""]), ["a", "b", "c", "d"])
    assert found == {
        "a": VideoCaption(id="a", visual="a red thing", audio="rain falls"),
        "b": VideoCaption(id="b", visual="a blue thing"),
        "c": VideoCaption(id="c"),
    }


def test_an_empty_file_says_nothing_of_any_video(tmp_path: Path) -> None:
    assert read_video_captions(written(tmp_path, []), ["a"]) == {}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["{"], ["line 1", "JSON"]),
        ([LINES[0], {"visual": "whose?"}], ["line 2", "id"]),
        ([{"id": "a", "visuals": "x"}], ["line 1", "visuals"]),
        ([{"id": "a", "visual": 3}], ["line 1", "visual"]),
        ([LINES[0], LINES[0]], ["line 2", "'a'", "second time"]),
        ([LINES[3]], ["none of its 1 videos", "'elsewhere'"]),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path: Path, lines: list[object], words: list[str]) -> None:
    with pytest.raises(BenchError) as error:
        read_video_captions(written(tmp_path, lines), ["a", "b"])
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in ["captions.jsonl", *words])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"nowhere\.jsonl: cannot be read"):
        read_video_captions(tmp_path / "nowhere.jsonl", ["a"])
