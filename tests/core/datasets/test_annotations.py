"""Whatever is wrong with an annotation file is one line that names the file and the place."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.data_options import HeldOutOptions
from core.datasets import didemo, folder, lsmdc, msrvtt, vatex
from core.datasets.annotations import LINE_LIMIT, read_names
from core.datasets.tree import Tree
from core.errors import BenchError
from tests.core.datasets import small_copies as small

HEADER = "key,vid_key,video_id,sentence"
GOOD = f"{HEADER}\nret0,msr6,video6,sentence 1 of video6\n"


def read_table(path: Path) -> list[tuple[str, str]]:
    rows, _ = msrvtt.read_test(Tree.walk(path), msrvtt.Sentences())
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_line_ends_and_byte_order_marks_are_accepted(
    delimiter: str, mark: str, end: str, tmp_path: Path
) -> None:
    text = mark + GOOD.replace(",", delimiter).replace("\n", end)
    assert read_table(small.write(tmp_path / msrvtt.TEST_TABLE, text)) == [("video6", "sentence 1 of video6")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["does not name the columns video_id, sentence"]),
        (GOOD.replace(",", ":"), ["key:vid_key", "comma, semicolon, tab"]),
        (GOOD.replace("sentence\n", "text\n"), ["does not name the columns"]),
        (HEADER + "\n", ["no row"]),
        (GOOD + "ret1,msr7,video6,again\n", ["'video6' is listed twice"]),
        (GOOD + "ret1,msr7,video7,\n", ["line 3", "sentence", "''"]),
        (GOOD + "ret1,msr7,video7,NaN\n", ["line 3", "sentence", "'NaN'"]),
        (GOOD + "ret1,msr7,,x\n", ["line 3", "video_id", "no name"]),
        (GOOD + "ret1,msr7,video7,one, two\n", ["line 3", "5 fields", "4", "quote"]),
        (GOOD + "ret1,msr7\n", ["line 3", "2 fields"]),
        (GOOD + 'ret1,msr7,video7,"one\n', ["line 3", "quotation mark"]),
        (GOOD + "ret1,msr7,../../etc/passwd,x\n", ["line 3", "leads out of"]),
        (GOOD + "ret1,msr7,/etc/passwd,x\n", ["line 3", "leads out of"]),
        (GOOD.encode() + b"ret1,msr7,video7,\xff\xfe\n", ["not UTF-8"]),
        (GOOD + "ret1,msr7,video7," + "x" * LINE_LIMIT + "\n", ["line 3", "longer than 1,000,000"]),
    ],
)
def test_a_bad_table(content: str | bytes, words: list[str], tmp_path: Path) -> None:
    path = small.write(tmp_path / msrvtt.TEST_TABLE, content)
    line = complaint(lambda: read_table(path))
    assert str(path) in line
    assert all(word in line for word in words), line


def complaint(action: Callable[[], Any]) -> str:
    with pytest.raises(BenchError) as caught:
        action()
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    return line


def test_a_line_of_a_hundred_megabytes_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "train_list.txt"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    assert "longer than 1,000,000" in complaint(lambda: read_names(path))


DATA: dict[str, Any] = {
    "videos": [{"video_id": "video0"}],
    "sentences": [{"video_id": "video0", "caption": "x"}],
}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"videos": [', ["truncated or invalid JSON", "column 13"]),
        ("", ["truncated or invalid JSON"]),
        ("[" * 200_000, ["recursion"]),
        ("[]", ["valid dictionary"]),
        ({"videos": []}, ["sentences", "required"]),
        ({**DATA, "sentences": [{"video_id": "video0", "caption": ""}]}, ["sentences.0.caption", "''"]),
        ({**DATA, "sentences": [{"video_id": "video0", "caption": None}]}, ["sentences.0.caption", "string"]),
        (
            {**DATA, "sentences": [{"video_id": "../0", "caption": "x"}]},
            ["sentences.0.video_id", "leads out"],
        ),
        ({**DATA, "videos": DATA["videos"] * 2}, ["'video0' is listed twice"]),
        ({**DATA, "videos": []}, ["lists no video"]),
        ('{"videos": [], "videos": []}', ["'videos' is listed twice"]),
        ('{"videos": [], "sentences": [NaN]}', ["NaN"]),
        (b"\xff\xfe{\x00}\x00", ["not UTF-8"]),
    ],
)
def test_a_bad_json(content: Any, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "MSRVTT_data.json"
    small.write(path, content) if isinstance(content, str | bytes) else small.write_json(path, content)
    line = complaint(lambda: msrvtt.read_sentences(Tree.walk(tmp_path)))
    assert str(path) in line
    assert all(word in line for word in words), line


def test_a_json_with_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    small.write(tmp_path / "MSRVTT_data.json", "\ufeff" + small.write_json(tmp_path / "x", DATA).read_text())
    assert msrvtt.read_sentences(Tree.walk(tmp_path)).captions == {"video0": ["x"]}


def test_a_listed_video_without_a_sentence(tmp_path: Path) -> None:
    root = small.msrvtt_clip4clip(tmp_path)
    small.write_lines(root / "MSRVTT_train.9k.csv", ["video_id", "video77"])
    line = complaint(lambda: msrvtt.read(Tree.walk(root), msrvtt.MsrvttOptions()))
    assert "video77 is listed but has no sentence in MSRVTT_data.json" in line


@pytest.mark.parametrize(
    "poison",
    [b"cos\nsystem\n(S'echo gotcha > gotcha'\ntR.", b"\x80\x04N.", b"\x80\x04", b"not a pickle"],
)
def test_a_poisoned_pickle_is_refused(poison: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = small.write(tmp_path / msrvtt.TEST_CHOICE, poison)
    assert str(path) in complaint(lambda: msrvtt.read_choice(path))
    assert not (tmp_path / "gotcha").exists()


def test_a_didemo_video_without_a_sentence(tmp_path: Path) -> None:
    root = small.didemo_official(tmp_path)
    small.write_lines(root / "val_list.txt", ["9@N01_1_z.mov"])
    line = complaint(lambda: didemo.read(Tree.walk(root), didemo.DidemoOptions()))
    assert "9@N01_1_z.mov" in line and "val_list.txt" in line


def test_an_lsmdc_table_with_other_delimiters_or_twice_the_same_test_clip(tmp_path: Path) -> None:
    root = small.lsmdc(tmp_path, per_film=False)
    test = root / "LSMDC16_challenge_1000_publictect.csv"

    def read() -> object:
        return lsmdc.read(Tree.walk(root), HeldOutOptions())

    row = small.lsmdc_row("0003_Third_00.00.01.000-00.00.05.000", "SOMEONE.")
    small.write_lines(test, [row, row])
    assert "listed twice" in complaint(read)
    small.write_lines(test, [row.replace("\t", ",")])
    assert f"{test}, line 1: 1 fields where LSMDC has 6" in complaint(read)
    small.write_lines(test, [row.replace("SOMEONE.", " ")])
    assert "line 1: the caption is ' '" in complaint(read)
    small.write(test, "\n\n")
    assert "lists no video" in complaint(read)


def test_vatex_captions_that_are_none(tmp_path: Path) -> None:
    for captions in ([], ["good", None], "not a list"):
        small.write_json(tmp_path / "ref_captions.json", {"abcdefghijk_000000_000010": captions})
        line = complaint(lambda: vatex.read_captions(Tree.walk(tmp_path)))
        assert "abcdefghijk_000000_000010" in line


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("captions.csv", "video,caption\n../out.mp4,x\n", ["line 2", "leads out"]),
        ("captions.csv", "video,caption\n/etc/out.mp4,x\n", ["line 2", "leads out"]),
        ("captions.csv", "video,caption,split\na.mp4,x,trian\n", ["line 2", "'trian' is none of"]),
        ("captions.csv", "url,caption\na.mp4,x\n", ["video and caption"]),
        ("captions.jsonl", '{"video": "a.mp4", "caption": "x"}\n{"video": "a.mp4"', ["line 2", "truncated"]),
        ("captions.jsonl", '{"video": "a.mp4", "caption": NaN}\n', ["line 1", "NaN"]),
        ("captions.jsonl", '{"video": "a/../../b", "caption": "x"}\n', ["line 1", "leads out"]),
        ("captions.jsonl", "\n", ["holds no caption"]),
        (
            "captions.jsonl",
            '{"video": "a", "caption": "x", "split": "test"}\n{"video": "b", "caption": "x"}\n',
            ["1 of 2 captions have a split"],
        ),
    ],
)
def test_a_bad_caption_file_of_ones_own(name: str, content: str, words: list[str], tmp_path: Path) -> None:
    path = small.write(tmp_path / name, content)
    line = complaint(lambda: folder.read_rows(path))
    assert str(path) in line
    assert all(word in line for word in words), line


def test_files_and_folders_that_are_not_there_or_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"{tmp_path / 'none'}: no such folder" in complaint(lambda: Tree.walk(tmp_path / "none"))
    assert f"no sentences under {tmp_path}" in complaint(lambda: msrvtt.read_sentences(Tree.walk(tmp_path)))
    path = small.write(tmp_path / "list.txt", "a\n")
    if os.geteuid() != 0:
        path.chmod(0)
    else:  # the administrator may read everything, so the refusal is played

        def refuse(self: Path, *_: Any, **__: Any) -> None:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "open", refuse)
    assert f"{path}: cannot be read (Permission denied)" in complaint(lambda: read_names(path))


def test_a_tree_ends_where_links_lead_back_and_where_it_is_no_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.touch(tmp_path / "a", ["x.mp4", ".hidden", "-y.mp4", "z."])
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    tree = Tree.walk(tmp_path)
    assert sorted(tree.files) == ["-y.mp4", "x.mp4", "z."]
    assert all(len(paths) == 1 for paths in tree.files.values())
    monkeypatch.setattr("core.datasets.tree.FILES_LIMIT", 2)
    assert "more than 2 files" in complaint(lambda: Tree.walk(tmp_path))


def test_an_annotation_file_in_two_places_must_be_the_same(tmp_path: Path) -> None:
    for place in "ab":
        small.write(tmp_path / place / "test_list.txt", "video0")
    assert Tree.walk(tmp_path).annotation("test_list.txt") == tmp_path / "a" / "test_list.txt"
    small.write(tmp_path / "b" / "test_list.txt", "video1")
    assert "differ; keep one" in complaint(lambda: Tree.walk(tmp_path).annotation("test_list.txt"))
