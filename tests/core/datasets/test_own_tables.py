"""A user's own caption file is read as it is meant, whatever wrote it, or refused with its line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from core.datasets.folder import FolderOptions, read
from core.datasets.tree import Tree
from tests.command_line import assert_one_line
from tests.core.datasets import small_copies as small
from tests.core.datasets.own_table_reading import CASES, complaint, pairs, table

ONE = [("a0", "x y")]


@pytest.mark.parametrize(
    "header",
    [
        "video,caption,split",
        "Video,Caption,Split",
        "VIDEO_ID,TEXT,SUBSET",
        "video id,sentence,set",
        "id,query,partition",
        "file,caption,Split",
        "path,text,subset",
        "filename,sentence,SET",
        "file_name,description,split",
    ],
)
def test_columns_go_by_many_names_in_any_case(header: str, tmp_path: Path) -> None:
    found = table(tmp_path, "captions.csv", f"{header}\na0,x y,test\n")
    assert (pairs(found), found.splits, found.notes) == (ONE, ["test"], [])
    record = dict(zip(header.split(","), ("a0", "x y", "test"), strict=True))
    listed = table(tmp_path, "captions.json", json.dumps([record]))
    assert (pairs(listed), listed.splits, listed.notes) == (ONE, ["test"], [])


def test_every_column_that_is_passed_over_is_named_once(tmp_path: Path) -> None:
    rows = "id,video,caption,text,lang,\n0,a0,x y,z,en,\n1,a1,x,z,de,\n"
    found = table(tmp_path, "captions.csv", rows)
    assert pairs(found) == [*ONE, ("a1", "x")]
    assert found.notes == ["captions.csv: columns passed over: id, text, lang, one without a name"]
    many = ",".join(f"c{i}" for i in range(14))
    found = table(tmp_path, "captions.csv", f"video,caption,{many}\na0,x y{',1' * 14}\n")
    assert found.notes == [f"captions.csv: columns passed over: {', '.join(many.split(',')[:10])} and 4 more"]
    lines = ['{"video": "a0", "caption": "x y", "lang": "en"}', '{"video": "a1", "caption": "x", "url": ""}']
    found = table(tmp_path, "captions.jsonl", "\n".join(lines))
    assert found.notes == ["captions.jsonl: columns passed over: lang, url"]


@pytest.mark.parametrize(
    ("value", "split"),
    [
        *(("train", "train"), ("TRAIN", "train"), ("Training", "train"), ("val", "val"), ("valid", "val")),
        *(("validation", "val"), ("dev", "val"), ("Test", "test"), ("testing", "test"), (" test ", "test")),
    ],
)
def test_splits_go_by_their_usual_names_and_a_note_says_so(value: str, split: str, tmp_path: Path) -> None:
    found = table(tmp_path, "captions.csv", f"video,caption,split\na0,x y,{value}\n")
    assert found.splits == [split]
    renamed = value.strip() != split
    assert found.notes == ([f"captions.csv: splits read: '{value}' as {split}"] if renamed else [])


def test_the_files_own_split_is_taken_and_none_is_dealt() -> None:
    listing = read(Tree.walk(CASES / "captions_Split.csv"), FolderOptions())
    videos = {name: [row.video for row in rows] for name, rows in listing.splits.items()}
    assert videos == {
        "train": [f"c{i}" for i in range(8)],
        "val": [f"c{i}" for i in range(8, 12)],
        "test": [f"c{i}" for i in range(12, 16)],
    }
    assert (listing.protocol["splits"], listing.notes) == ("as the caption file says", [])


def test_a_column_that_seems_to_name_splits_is_never_passed_over(tmp_path: Path) -> None:
    rows = "video,caption,usage\na0,x,train\na1,x,Test\n"
    words = ["'usage' seems to name splits", "call it split"]
    line = complaint(lambda: table(tmp_path, "captions.csv", rows))
    assert all(word in line for word in words)
    listed = [{"video": v, "caption": "x", "fold": f} for v, f in (("a0", "dev"), ("a1", "train"))]
    assert "'fold' seems" in complaint(lambda: table(tmp_path, "captions.json", json.dumps(listed)))
    # Beside a split column it is one of those that are passed over.
    both = "video,caption,split,usage\na0,x,test,train\na1,x,test,test\n"
    assert table(tmp_path, "captions.csv", both).splits == ["test", "test"]


def test_two_split_columns_must_agree(tmp_path: Path) -> None:
    rows = "video,caption,split,subset\na0,x,train,training\na1,x,test,{}\n"
    assert table(tmp_path, "captions.csv", rows.format("TEST")).splits == ["train", "test"]
    line = complaint(lambda: table(tmp_path, "captions.csv", rows.format("train")))
    assert "line 3" in line and "split test and subset train" in line


def test_a_dealt_split_is_announced_and_the_same_every_time(tmp_path: Path) -> None:
    names = [f"v{i:02d}" for i in range(20)]
    path = small.write_lines(tmp_path / "captions.csv", ["video,caption", *(f"{name},x" for name in names)])
    listing = read(Tree.walk(path), FolderOptions())
    assert sorted({row.video for rows in listing.splits.values() for row in rows}) == names
    assert {name: len(rows) for name, rows in listing.splits.items()} == {"train": 14, "val": 2, "test": 4}
    dealt, held = listing.notes
    assert "no split column: 4 of 20 videos are dealt to test" in dealt
    assert "no row for val: 2 of 16 training videos are dealt to it" in held
    test = {row.video for row in listing.splits["test"]}
    # Neither the order of the rows nor more of them changes who is tested; the digests are sha256sum's.
    assert test == {"v00", "v02", "v07", "v11"}
    turned = small.write_lines(tmp_path / "b.csv", ["video,caption", *(f"{n},y\n{n},z" for n in names[::-1])])
    assert {row.video for row in read(Tree.walk(turned), FolderOptions()).splits["test"]} == test


@pytest.mark.parametrize(
    "name", ["captions.json", "captions.JSONL", "captions.csv", "captions.ndjson", "x.txt"]
)
@pytest.mark.parametrize("file", ["captions.json", "captions.JSONL"])
def test_json_is_read_under_any_suffix(file: str, name: str, tmp_path: Path) -> None:
    found = table(tmp_path, name, (CASES / file).read_bytes())
    assert (pairs(found), found.splits) == ([("a0", "x")], ["train"])


def test_a_file_with_training_rows_alone_is_read_and_a_run_needs_more(
    project: Path, invoke: Callable[..., Result]
) -> None:
    small.write(project / "a0.mp4", b"no film")
    place = ("--videos", project, "--captions", CASES / "captions.JSONL")
    assert "1 of 1 videos found" in invoke("data", "add", "mine", *place).stdout
    run = ("run", "--methods", "clip4clip", "--datasets", "mine", "--set", "training.epochs=0")
    assert_one_line(invoke(*run), "mine has no split 'test'; it has train")


@pytest.mark.parametrize(
    "content",
    [
        '[\n {\n  "video": "a0",\n  "caption": "x y"\n }\n]',
        '\ufeff[{"video": "a0", "caption": "x y"}]',
        '\n\n{"video": "a0", "caption": "x y"}\n\n',
        '{\n "video": "a0",\n "caption": "x y"\n}\n',
        '{"a0": "x y"}',
        '{"a0": ["x y"]}',
        '{"a0": {"caption": "x y"}}',
        '{"video": "a0", "captions": ["x y"]}',
        '{"Video": "a0", "Caption": "x y", "split": null}',
    ],
)
def test_json_in_every_shape_that_has_a_meaning(content: str, tmp_path: Path) -> None:
    assert pairs(table(tmp_path, "captions.json", content)) == ONE


def test_a_long_json_list_on_one_line_is_read(tmp_path: Path) -> None:
    records = [{"video": f"v{i}", "caption": "x" * 50} for i in range(20_000)]
    assert len(table(tmp_path, "captions.json", json.dumps(records)).rows) == 20_000


def test_several_captions_and_numbers_as_names(tmp_path: Path) -> None:
    lines = [
        '{"video": 7, "caption": ["x", "y"], "split": "val"}',
        '{"video": "007", "caption": "z", "split": "test"}',
    ]
    found = table(tmp_path, "c.jsonl", "\r\n".join(lines))
    assert pairs(found) == [("7", "x"), ("7", "y"), ("007", "z")]
    assert found.splits == ["val", "val", "test"]
    assert pairs(table(tmp_path, "c.csv", "video,caption\n007,x y\n7,x\n")) == [("007", "x y"), ("7", "x")]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffvideo,caption\r\na0,x y\r\n",
        "video;caption\na0;x y\n",
        "video\tcaption\na0\tx y\n",
        "video|caption\na0|x y",
        '"video","caption"\n"a0","x y"\n',
        "video,caption\n\n\na0,x y\n\n",
        "video,caption\na0,x y\n,\n , \n",
        "video,caption\ra0,x y\r",
        " video , caption \n a0 ,x y\n",
        "caption,video\nx y,./a0\n",
    ],
)
def test_tables_as_programs_write_them(content: str, tmp_path: Path) -> None:
    assert pairs(table(tmp_path, "captions.csv", content)) == ONE


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.csv", "a0.mp4,a man walks\n", ["first line 'a0.mp4,a man walks'", "video"]),
        ("c.csv", "video\ncaption\n", ["does not name the columns"]),
        ("c.csv", "", ["holds no caption"]),
        ("c.json", " \n", ["holds no caption"]),
        ("c.csv", "video,caption\n", ["holds no caption"]),
        ("c.csv", "video,Video,caption\na,b,c\n", ["two columns", "'video'"]),
        ("c.csv", "video,caption,Caption\na,b,c\n", ["two columns", "'caption'"]),
        ("c.csv", "video,caption\na,\n", ["line 2", "the caption is ''"]),
        ("c.csv", "video,caption\na,x\na,  \n", ["line 3", "the caption is '  '"]),
        ("c.csv", "video,caption\na,NaN\n", ["line 2", "'NaN'"]),
        ("c.csv", "video,caption\n,x\n", ["line 2", "no name"]),
        ("c.csv", "video,caption,split\na,x,\n", ["line 2", "split", "'' is none of train, val, test"]),
        ("c.csv", "video,caption,split\na,x,eval\n", ["line 2", "'eval' is none of train, val, test"]),
        ("c.csv", "video,caption,set\na,x,3\n", ["line 2", "set: '3' is none of", "rename the column"]),
        ("c.csv", "video,caption\na,one, two\n", ["line 2: 3 fields", "quote captions that hold ','"]),
        ("c.csv", "video,caption\n../a,x\n", ["line 2", "leads out"]),
        ("c.csv", "video,caption\n/etc/a,x\n", ["line 2", "leads out"]),
        ("c.csv", "video,caption\na,x\n".encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        ("c.csv", "video,caption\na,café\n".encode("cp1252"), ["not UTF-8"]),
        ("c.csv.gz", b"\x1f\x8b\x08\x00\x80\x81", ["gzip archive"]),
        ("c.xlsx", b"PK\x03\x04\xff\xfe", ["spreadsheet"]),
        ("c.json", '[{"video": "a"}]', ["has video", "caption"]),
        ("c.json", '[{"video": "a", "caption": "x"}, {"video": "b"}]', ["entry 2", "caption is missing"]),
        ("c.json", '[{"video": "a", "caption": 3}]', ["entry 1", "'3', which is no text"]),
        ("c.json", '[{"video": "a", "caption": []}]', ["entry 1", "empty list"]),
        ("c.json", '[{"video": "a", "caption": ["x", ""]}]', ["entry 1", "the caption is ''"]),
        ("c.json", '[{"video": 1.5, "caption": "x"}]', ["entry 1", "video", "no text"]),
        ("c.json", '[{"video": true, "caption": "x"}]', ["entry 1", "video", "no text"]),
        ("c.json", '["a", "b"]', ["entry 1", "no object"]),
        ("c.json", "[]", ["nothing"]),
        ("c.json", "{}", ["nothing"]),
        ("c.json", '{"train": [{"video": "a", "caption": "x"}]}', ["one object with the keys train"]),
        ("c.json", '[{"video": "a", "video": "b", "caption": "x"}]', ["'video' is listed twice"]),
        ("c.json", '[{"video": "a", "Video": "b", "caption": "x"}]', ["two columns"]),
        ("c.json", '[{"video": "a", "caption": "x"},', ["truncated or invalid JSON", "column"]),
        ("c.jsonl", '{"video": "a", "caption": "x"}\n{"video": "a"', ["line 2", "truncated"]),
        ("c.jsonl", '{"video": "a", "caption": "x"}\n[1]\n', ["line 2", "no object"]),
        ("c.jsonl", '{"video": "a", "caption": NaN}\n', ["line 1", "NaN"]),
        (
            "c.jsonl",
            '{"video": "a", "caption": "x", "split": "test"}\n{"video": "b", "caption": "x"}\n',
            ["1 of 2 captions have a split"],
        ),
    ],
)
def test_what_has_no_one_meaning_is_refused_in_one_line(
    name: str, content: str | bytes, words: list[str], tmp_path: Path
) -> None:
    line = complaint(lambda: table(tmp_path, name, content))
    assert str(tmp_path / name) in line
    assert all(word in line for word in words), line


def test_the_caption_file_of_a_folder_may_be_any_of_them(tmp_path: Path) -> None:
    for name in ("captions.json", "captions.JSONL", "captions.ndjson", "captions.TXT"):
        folder = tmp_path / name
        small.write(folder / name, '{"video": "a0", "caption": "x", "split": "test"}\n')
        assert read(Tree.walk(folder), FolderOptions()).protocol["annotations"] == name
