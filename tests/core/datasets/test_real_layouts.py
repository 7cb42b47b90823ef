"""Every layout in which users have the real data sets gives the same videos, captions and order."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.dataset import Dataset, Split
from core.datasets import find_dataset, load_dataset, msrvtt, real_datasets
from core.datasets.locations import Location, save_location
from core.datasets.tree import Tree
from core.errors import BenchError
from core.progress import Silent
from tests.core.datasets import small_copies as small
from tests.core.datasets.small_copies import DIDEMO, LSMDC_TEST, LSMDC_TRAIN, TEST, TRAIN, VATEX, sentences

Layout = Callable[[Path], Path]

pytestmark = pytest.mark.usefixtures("project")


def load(name: str, root: Path, **options: Any) -> Dataset:
    save_location(name, Location(annotations=root, videos=root))
    return load_dataset(name, Silent(), workers=1, options=options)


def rows(split: Split) -> list[tuple[str, str]]:
    pairs = zip(split.video_of_caption, split.captions, strict=True)
    return [(split.videos[video].id, caption) for video, caption in pairs]


def in_order(split: Split) -> list[str]:
    return [video.id for video in split.videos]


MSRVTT: list[Layout] = [small.msrvtt_clip4clip, small.msrvtt_frozen, small.msrvtt_official]


@pytest.mark.parametrize("layout", MSRVTT)
@pytest.mark.parametrize(("train", "videos"), [("9k", TRAIN), ("7k", TRAIN[:5])])
def test_msrvtt_in_three_layouts(layout: Layout, train: str, videos: list[str], tmp_path: Path) -> None:
    dataset = load("msrvtt", layout(tmp_path / "data"), train=train, holdout=0)
    assert set(dataset.splits) == {"train", "test"}
    assert rows(dataset.splits["test"]) == [(v, sentences(v)[1]) for v in TEST]
    assert in_order(dataset.splits["train"]) == videos
    assert rows(dataset.splits["train"]) == [(v, s) for v in videos for s in sentences(v)]
    for split in dataset.splits.values():
        assert all(video.path.is_file() and video.path.stem == video.id for video in split.videos)
    assert dataset.protocol["captions per video"] == "train 3, test 1"


def test_msrvtt_of_another_layout_has_the_same_gallery(tmp_path: Path) -> None:
    galleries = {
        load("msrvtt", make(tmp_path / str(i))).splits["test"].fingerprint for i, make in enumerate(MSRVTT)
    }
    assert len(galleries) == 1


def test_msrvtt_validates_on_whole_films_held_out_of_training(tmp_path: Path) -> None:
    dataset = load("msrvtt", small.msrvtt_clip4clip(tmp_path / "data"), holdout=0.2)
    val, train = in_order(dataset.splits["val"]), in_order(dataset.splits["train"])
    assert sorted(val + train) == TRAIN
    films = {int(v[5:]) // 2 for v in val}
    assert len(val) == 2 and len(films) == 1  # a fifth of six videos is two of one film
    assert not films & {int(v[5:]) // 2 for v in train}
    assert rows(dataset.splits["val"]) == [(v, sentences(v)[0]) for v in val]


@pytest.mark.parametrize("layout", [small.didemo_official, small.didemo_labels])
def test_didemo_in_two_layouts(layout: Layout, tmp_path: Path) -> None:
    dataset = load("didemo", layout(tmp_path / "data"))
    for split, names in DIDEMO.items():
        assert rows(dataset.splits[split]) == [(v, " ".join(sentences(v, 2))) for v in names]
        assert all(video.end == 31.0 and video.path.is_file() for video in dataset.splits[split].videos)


def test_didemo_matches_by_name_as_published_and_by_stem_if_wanted(tmp_path: Path) -> None:
    root = small.didemo_official(tmp_path / "data")
    by_name, by_stem = (load("didemo", root, match=match).splits["test"] for match in ("name", "stem"))
    assert by_stem.captions[0] == by_name.captions[0] + " under another name"
    assert by_stem.captions[1:] == by_name.captions[1:]
    labels = small.didemo_labels(tmp_path / "labels")
    with pytest.raises(BenchError, match="data.match=stem needs"):
        load("didemo", labels, match="stem")


@pytest.mark.parametrize(
    ("name", "on_disk", "chosen"),
    [
        ("3@N01_1_d.avi", ["3@N01_1_d.avi", "3@N01_1_d.avi.mp4", "3@N01_1_d.mp4"], "3@N01_1_d.avi"),
        ("3@N01_1_d.avi", ["3@N01_1_d.avi.mp4", "3@N01_1_d.mp4"], "3@N01_1_d.avi.mp4"),
        ("3@N01_1_d.avi", ["3@N01_1_d.AVI"], "3@N01_1_d.AVI"),
        ("3@N01_2_e.", ["3@N01_2_e..mp4", "3@N01_2_e.mp4"], "3@N01_2_e..mp4"),
        ("3@N01_2_e.", ["3@N01_2_e.mp4"], "3@N01_2_e.mp4"),
        ("3@N01_2_e.", ["3@N01_2_e"], "3@N01_2_e"),
    ],
)
def test_didemo_files_may_be_converted(name: str, on_disk: list[str], chosen: str, tmp_path: Path) -> None:
    root = small.didemo_official(tmp_path / "data")
    (root / "videos" / name).unlink()
    small.touch(root / "other", on_disk)
    paths = {video.id: video.path.name for video in load("didemo", root).splits["test"].videos}
    assert paths[name] == chosen


@pytest.mark.parametrize("per_film", [False, True])
def test_lsmdc_flat_and_in_folders_per_film(per_film: bool, tmp_path: Path) -> None:
    dataset = load("lsmdc", small.lsmdc(tmp_path / "data", per_film=per_film), holdout=0)
    one, two = LSMDC_TRAIN
    assert rows(dataset.splits["train"]) == [
        (one, "SOMEONE waits."),
        (two, 'A woman says ""no"" and leaves.'),
        (one, "He goes."),
    ]
    assert in_order(dataset.splits["train"]) == LSMDC_TRAIN
    assert in_order(dataset.splits["test"]) == LSMDC_TEST
    assert all(video.path.is_file() for split in dataset.splits.values() for video in split.videos)
    assert dataset.protocol["rows left out"] == "2"  # the broken clip, and the row without a sentence


def test_lsmdc_validates_on_its_own_part_where_that_is_there(tmp_path: Path) -> None:
    root = small.lsmdc(tmp_path / "data", per_film=False)
    assert in_order(load("lsmdc", root, holdout=0.4).splits["val"]) in ([v] for v in LSMDC_TRAIN)
    small.write_lines(root / "LSMDC16_annos_val.csv", [small.lsmdc_row("0009_Val_00.00-00.01", "SOMEONE.")])
    small.touch(root / "clips", ["0009_Val_00.00-00.01.avi"])
    dataset = load("lsmdc", root, holdout=0.4)
    assert in_order(dataset.splits["val"]) == ["0009_Val_00.00-00.01"]
    assert in_order(dataset.splits["train"]) == LSMDC_TRAIN


@pytest.mark.parametrize("layout", ["ref_captions", "vatex_data", "official"])
@pytest.mark.parametrize(("captions", "count"), [("all", 3), ("first-caption", 1)])
def test_vatex_in_three_layouts(layout: str, captions: str, count: int, tmp_path: Path) -> None:
    dataset = load("vatex", small.vatex(tmp_path / "data", layout), captions=captions)
    for split, names in VATEX.items():
        each = 3 if split == "train" else count
        assert rows(dataset.splits[split]) == [(v, s) for v in names for s in sentences(v)[:each]]


def test_vatex_files_may_bear_the_youtube_id_alone_unless_two_clips_share_it(tmp_path: Path) -> None:
    root = small.vatex(tmp_path / "data", "official")
    test = VATEX["test"][0]
    (root / "videos" / f"{test}.mp4").rename(root / "videos" / f"{test[:11]}.mp4")
    found = {v.id: v.path.name for v in load("vatex", root).splits["test"].videos}
    assert found[test] == f"{test[:11]}.mp4"
    twin = f"{test[:11]}_000040_000050"
    small.write_lines(root / "test_list.txt", [*VATEX["test"], twin])
    small.write_json(
        root / "vatex_validation_v1.0.json",
        [{"videoID": v, "enCap": sentences(v)} for v in (*VATEX["val"], *VATEX["test"], twin)],
    )
    with pytest.raises(BenchError, match="2 of 3 test videos cannot be used.*may be the file of"):
        load("vatex", root)


LAYOUTS: dict[str, Layout] = {
    "msrvtt": small.msrvtt_clip4clip,
    "didemo": small.didemo_official,
    "lsmdc": partial(small.lsmdc, per_film=True),
    "vatex": partial(small.vatex, layout="ref_captions"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_data_set_knows_its_files_and_changes_its_fingerprints_with_them(name: str, tmp_path: Path) -> None:
    root = LAYOUTS[name](tmp_path / "data")
    one = load(name, root)
    assert load(name, root) == one
    assert one.fingerprint == find_dataset(name).fingerprint(real_datasets()[name].options())
    assert set(one.files) <= {path.name for path in root.rglob("*")}
    next(path for path in root.rglob("*") if path.suffix in (".mp4", ".avi", ".mov")).write_bytes(b"x")
    assert load(name, root).media_fingerprint != one.media_fingerprint
    assert load(name, root).fingerprint == one.fingerprint
    file = root / next(iter(one.files))
    file.write_bytes(file.read_bytes() + b"\n")
    assert load(name, root).fingerprint != one.fingerprint


@pytest.mark.parametrize("name", LAYOUTS)
def test_two_files_of_one_name_are_ambiguous_but_links_to_one_are_not(name: str, tmp_path: Path) -> None:
    root = LAYOUTS[name](tmp_path / "data")
    video = load(name, root).splits["test"].videos[0]
    (root / "links").mkdir()
    (root / "links" / video.path.name).symlink_to(video.path)
    load(name, root)
    small.touch(root / "compressed", [video.path.name])
    with pytest.raises(
        BenchError, match=f"1 of .* test videos cannot be used; first: .*{video.id}.*several files"
    ):
        load(name, root)


def test_msrvtts_test_table_alone_lists_the_test_part(tmp_path: Path) -> None:
    whole = small.msrvtt_clip4clip(tmp_path / "whole")
    table = tmp_path / "alone" / msrvtt.TEST_TABLE
    small.write(table, (whole / msrvtt.TEST_TABLE).read_text())
    alone = msrvtt.read(Tree.walk(tmp_path / "alone"), msrvtt.MsrvttOptions())
    complete = msrvtt.read(Tree.walk(whole), msrvtt.MsrvttOptions())
    assert set(alone.splits) == {"test"}
    assert list(alone.splits["test"]) == list(complete.splits["test"])
    small.write(table.with_name("MSRVTT_train.9k.csv"), "video_id\nvideo1\n")
    with pytest.raises(BenchError, match="no sentences under"):
        msrvtt.read(Tree.walk(tmp_path / "alone"), msrvtt.MsrvttOptions())
