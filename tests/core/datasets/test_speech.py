"""Transcripts of what is said in the videos: read in every usual shape, counted, or refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from core.datasets.folder import read_rows
from core.datasets.speech import read_speech
from core.errors import BenchError
from tests.command_line import assert_one_line
from tests.core.media_files import write_media

VIDEOS = ["a", "clips/b.mp4", "c"]
SAID = {"a": "pour the milk in", "clips/b.mp4": "and now we fold"}


def written(folder: Path, content: object, name: str = "speech.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("asr.json", {"a": "pour the milk  in", "b": "and now we fold", "c": "", "z": "of another set"}),
        ("asr.json", {"a": ["pour the", "milk in"], "b.mp4": "and now we fold", "c": None}),
        ("asr.json", {"a": {"text": "pour the milk in"}, "b": {"text": "and now we fold"}}),
        ("asr.json", [{"id": "a", "asr": "pour the milk in"}, {"id": "b", "asr": "and now we fold"}]),
        (
            "asr.jsonl",
            '{"video": "a", "transcript": "pour the milk in"}\n'
            '{"video": "b", "transcript": "and now we fold"}\n',
        ),
        ("asr.csv", "video_id,speech\na,pour the milk in\nb.mp4,and now we fold\nc,Mm.\n"),
        ("asr.tsv", "video\tsubtitles\tlang\na\tpour the milk in\ten\nb\tand now we fold\ten\nc\t\ten\n"),
    ],
)
def test_transcripts_in_every_shape_that_has_a_meaning(name: str, content: object, tmp_path: Path) -> None:
    assert read_speech(written(tmp_path, content, name), VIDEOS) == SAID


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["holds no transcript"]),
        ('{"a": "pour', ["truncated or invalid JSON"]),
        ({"elsewhere": "pour the milk in"}, ["none of its 1 videos is in the data set", "'elsewhere'"]),
        ([{"id": "a", "lang": "en"}], ["no columns of video and transcript"]),
        ([{"id": "a", "asr": 3}], ["entry 1", "'3'"]),
        ([{"id": "a", "asr": "pour it"}, {"id": "a", "asr": "stir it"}], ["entry 2", "two transcripts"]),
    ],
)
def test_a_mistake_is_one_line_that_names_it(content: object, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(BenchError) as caught:
        read_speech(written(tmp_path, content), VIDEOS)
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in ["speech.json", *words])


def test_a_column_beside_the_captions_is_read_and_not_passed_over(tmp_path: Path) -> None:
    table = "video,caption,transcript\na,x,pour the milk in\na,y,pour the milk in\nc,z,\n"
    found = read_rows(written(tmp_path, table, "captions.csv"))
    assert (found.speech, found.notes) == ({"a": "pour the milk in"}, [])
    assert read_rows(written(tmp_path, "video,caption\na,x\n", "captions.csv")).speech is None
    torn = table.replace("a,y,pour the milk in", "a,y,stir the milk in")
    with pytest.raises(BenchError, match=r"line 3: the video 'a' has two transcripts"):
        read_rows(written(tmp_path, torn, "captions.csv"))


@pytest.mark.usefixtures("project")
def test_add_and_check_count_the_transcripts(invoke: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    for name in "ab":
        write_media(tmp_path / "clips" / f"{name}.mkv", np.zeros((4, 32, 32, 3), np.uint8))
    captions = written(tmp_path, "video,caption,split\na,x,test\nb,y,test\n", "captions.csv")
    speech = written(tmp_path, {"a": "pour the milk in"})
    place = ("--videos", tmp_path / "clips", "--captions", captions, "--speech")
    result = invoke("data", "add", "mine", *place, speech)
    assert result.exit_code == 0
    assert "speech: 1 of 2 videos have a transcript" in result.stdout
    checked = json.loads(invoke("data", "check", "mine", "--quick", "--json").stdout)
    assert checked["protocol"]["speech"] == "1 of 2 videos have a transcript"
    assert_one_line(invoke("data", "add", "mine", *place, tmp_path / "clips"), "--speech takes the file")
    assert_one_line(invoke("data", "add", "mine", *place, tmp_path / "gone.json"), "no such file or folder")
