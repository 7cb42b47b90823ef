"""The real annotation files, where they lie beside the project, hold what was measured in them."""

import shutil
from pathlib import Path

import pytest

from core.datasets import didemo, lsmdc, msrvtt, vatex
from core.datasets.annotations import read_names
from core.datasets.tree import Tree
from tests.core.datasets import small_copies as small

ANNOTATIONS = Path(__file__).parents[3] / ".." / "shared" / "annotations"
pytestmark = pytest.mark.skipif(
    not ANNOTATIONS.is_dir(), reason="no real annotation files beside the project"
)


@pytest.fixture
def msrvtt_copy(tmp_path: Path) -> Path:
    """The real tables with a made json that has every real video: the real one may not be passed on."""
    for name in ("MSRVTT_train.9k.csv", "MSRVTT_train.7k.csv", "MSRVTT_JSFUSION_test.csv"):
        shutil.copy(ANNOTATIONS / "MSRVTT" / name, tmp_path)
    videos = [f"video{i}" for i in range(10_000)]
    small.write_json(tmp_path / "MSRVTT_data.json", small.official_msrvtt(videos, ""))
    return tmp_path


@pytest.mark.parametrize(("train", "videos"), [("9k", 9_000), ("7k", 7_010)])
def test_msrvtt(train: str, videos: int, msrvtt_copy: Path) -> None:
    listing = msrvtt.read(Tree.walk(msrvtt_copy), msrvtt.MsrvttOptions(train=train, holdout=0))
    assert len({row.video for row in listing.splits["train"]}) == videos
    test = listing.splits["test"]
    assert len({row.video for row in test}) == len(test) == 1_000
    assert len({row.caption for row in test}) == 995
    assert tuple(test[0]) == ("video9770", "a person is connecting something to system")
    assert {int(row.video[5:]) >= 7_010 for row in test} == {True}


def test_msrvtt_validation_is_a_twentieth_of_training_in_whole_films(msrvtt_copy: Path) -> None:
    splits = msrvtt.read(Tree.walk(msrvtt_copy), msrvtt.MsrvttOptions()).splits
    videos = {name: {row.video for row in rows} for name, rows in splits.items()}
    assert 450 <= len(videos["val"]) <= 451 and len(videos["val"]) + len(videos["train"]) == 9_000
    assert len(splits["val"]) == len(videos["val"])
    films = {name: {int(v[5:]) // 2 for v in found} for name, found in videos.items()}
    assert not films["val"] & films["train"]


def test_the_semicolon_variant_of_the_test_table_is_the_same_table() -> None:
    nothing = msrvtt.Sentences()
    tables = [Tree.walk(ANNOTATIONS / "MSRVTT")]
    tables.append(
        Tree(ANNOTATIONS, {msrvtt.TEST_TABLE: [ANNOTATIONS / "MSRVTT/MSRVTT_JSFUSION_test.crlf-variant.csv"]})
    )
    one, other = (msrvtt.read_test(tree, nothing)[0] for tree in tables)
    assert one == other


def test_the_lists_of_frozen_in_time_name_the_same_videos_in_another_order() -> None:
    folder = ANNOTATIONS / "MSRVTT"
    lists = Tree(folder, {p.name: [p] for p in folder.glob("*.txt")})
    for kind in ("9k", "7k"):
        tables, _ = msrvtt.read_train(Tree.walk(folder), kind, {}, set())
        names, _ = msrvtt.read_train(lists, kind, {}, set())
        assert sorted(names) == sorted(tables)
    test = [row.video for row in msrvtt.read_test(Tree.walk(folder), msrvtt.Sentences())[0]]
    other = read_names(folder / "val_list_jsfusion.txt")
    assert sorted(other) == sorted(test) and other != test


def test_didemo_paragraphs_are_those_of_the_label_tables() -> None:
    folder = ANNOTATIONS / "DiDeMo"
    counts = {}
    for split, total, shared in (("val", 1_065, 1_062), ("test", 1_004, 1_004)):
        files = folder / f"{split}_data.json", folder / f"{split}_list.txt"
        mine = dict(didemo.paragraphs(*files, "name"))
        theirs = dict(didemo.labelled(folder / f"didemo_{split}_label.csv"))
        assert (len(mine), len(theirs)) == (total, shared)
        assert all(mine[video] == paragraph for video, paragraph in theirs.items())
        by_stem = dict(didemo.paragraphs(*files, "stem"))
        counts[split] = sum(by_stem[video] != paragraph for video, paragraph in mine.items())
    assert counts == {"val": 29, "test": 33}


def test_didemo_falls_to_the_label_tables_where_the_official_files_are_not_whole() -> None:
    listing = didemo.read(Tree.walk(ANNOTATIONS / "DiDeMo"), didemo.DidemoOptions())
    assert {name: len(rows) for name, rows in listing.splits.items()} == didemo.LABELLED
    assert listing.protocol["annotations"] == "T-MASS's label tables"
    lists = {split: len(read_names(ANNOTATIONS / "DiDeMo" / f"{split}_list.txt")) for split in didemo.SPLITS}
    assert lists == didemo.LISTED and sum(lists.values()) == 10_461


def test_lsmdc_rows_with_a_repeated_name_a_stray_mark_and_a_skipped_clip() -> None:
    path = ANNOTATIONS / "LSMDC" / "FIXTURE_made_up_LSMDC16.csv"
    rows, left_out = lsmdc.read_clips(path, strict=False)
    assert ([row.video.split("_")[0] for row in rows], left_out) == (["9001", "9001", "9001", "9002"], 1)
    assert rows[2].caption == 'A woman says ""no"" and turns away.'


def test_vatex_lists() -> None:
    folder = ANNOTATIONS / "VATEX"
    lists = {split: read_names(folder / f"{split}_list.txt") for split in vatex.COUNTS}
    assert {split: len(names) for split, names in lists.items()} == vatex.COUNTS
    videos = [video for names in lists.values() for video in names]
    assert len(set(videos)) == 28_991
    assert len({vatex.file_names(video)[-2] for video in videos}) == 28_991 - 5


@pytest.mark.parametrize("file", ["ref_captions", "vatex_data"])
def test_vatex_captions(file: str, tmp_path: Path) -> None:
    shutil.copy(ANNOTATIONS / "VATEX" / f"{file}.sample5.json", tmp_path / f"{file}.json")
    captions, _ = vatex.read_captions(Tree.walk(tmp_path))
    assert {len(found) for found in captions.values()} == {vatex.CAPTIONS} and len(captions) == 5
