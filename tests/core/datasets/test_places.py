"""`bench data add | remove`: which file says where a data set is, what it said before, and own names."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from core.datasets import load_dataset
from core.progress import Silent
from core.resolving import resolve
from core.running.code import code_fingerprint
from core.settings import project_file
from tests.command_line import assert_one_line
from tests.core.datasets import small_copies as small

Invoke = Callable[..., Result]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that is no project yet, and an account's folder of its own."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_config_dir", lambda name: str(tmp_path / "account" / name))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> tuple[object, ...]:
    """Two clips of one's own and their captions, as options."""
    small.touch(tmp_path / "clips", ["a.mp4", "b.mp4"])
    rows = ["video,caption,split", "a,red,train", "b,blue,test"]
    return "--videos", tmp_path / "clips", "--captions", small.write_lines(tmp_path / "mine.csv", rows)


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def account(tmp_path: Path) -> Path:
    return tmp_path / "account" / "av-retrieval-bench" / "bench.toml"


def test_the_projects_file_is_made_beside_runs_and_named(
    work: Path, tmp_path: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    said = lines(invoke("data", "add", "my-clips", *place))
    assert f"my-clips: 2 of 2 videos found under {tmp_path / 'clips'}" in said
    assert f"written: {work / 'bench.toml'}" in said
    assert not any(line.startswith(("replaced", "note")) for line in said)
    assert not account(tmp_path).exists()


def test_what_was_there_before_is_said(
    work: Path, tmp_path: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    invoke("data", "add", "my-clips", *place)
    same = lines(invoke("data", "add", "my-clips", *place))
    assert not any(line.startswith("replaced") for line in same)
    other = small.write_lines(tmp_path / "new.csv", ["video,caption,split", "a,red,test"])
    said = lines(invoke("data", "add", "my-clips", *place[:3], other))
    changes = [line for line in said if line.startswith("replaced")]
    assert changes == [f"replaced: annotations {tmp_path / 'mine.csv'} -> {other}"]
    small.touch(tmp_path / "sound", ["a.wav"])
    said = lines(invoke("data", "add", "my-clips", "--audio", tmp_path / "sound"))
    assert f"replaced: audio none -> {tmp_path / 'sound'}" in said
    assert load_dataset("my-clips", Silent(), workers=1).splits["test"].captions == ("red",)


def test_the_accounts_file_is_written_when_asked_and_the_projects_counts(
    work: Path, tmp_path: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    assert f"written: {account(tmp_path)}" in lines(invoke("data", "add", "my-clips", *place, "--global"))
    assert not (work / "bench.toml").exists()
    (*_, note) = lines(invoke("data", "add", "my-clips", *place))
    assert note.startswith(f"note: {account(tmp_path)} names my-clips too ")
    assert note.endswith("and does not count here")
    (*_, note) = lines(invoke("data", "add", "my-clips", *place, "--global"))
    assert note.startswith(f"note: {work / 'bench.toml'} names my-clips too and counts here")
    (*_, note) = lines(invoke("data", "add", "my-clips", *place, BENCH_DATA="/sets"))
    assert note == "note: BENCH_DATA is set, so /sets/my-clips counts instead"


def test_a_data_set_is_removed_from_the_file_that_counts(
    work: Path, tmp_path: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    invoke("data", "add", "my-clips", *place, "--global")
    invoke("data", "add", "my-clips", *place)
    was = [f"was: annotations {tmp_path / 'mine.csv'}", f"was: videos {tmp_path / 'clips'}"]
    assert lines(invoke("data", "remove", "MY-CLIPS")) == [
        f"removed: my-clips from {work / 'bench.toml'}",
        *was,
        f"now counts: {account(tmp_path)}",
    ]
    said = lines(invoke("data", "remove", "my-clips", "--global"))
    assert said == [f"removed: my-clips from {account(tmp_path)}", *was]
    assert_one_line(invoke("data", "remove", "my-clips"), str(work / "bench.toml"), "no data set is stored")
    assert_one_line(invoke("run", "--datasets", "my-clips", "--dry-run"), "unknown dataset 'my-clips'")
    assert (tmp_path / "clips" / "a.mp4").is_file()


def test_removing_an_unknown_name_names_the_known_ones(
    work: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    invoke("data", "add", "my-clips", *place)
    assert_one_line(invoke("data", "remove", "my-clip"), "my-clip", "did you mean 'my-clips'?")
    assert_one_line(invoke("data", "remove", "msrvtt"), "unknown dataset in bench.toml 'msrvtt'", "my-clips")
    assert "[data.my-clips]" in (work / "bench.toml").read_text()


def test_any_number_of_data_sets_with_names_of_ones_own(
    work: Path, tmp_path: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    other = small.write_lines(
        tmp_path / "other.csv", ["file,text,subset", "b,x,train", "a,y,test", "a,z,test"]
    )
    invoke("data", "add", "my-clips", *place)
    invoke("data", "add", "Other_2", *place[:3], other)
    invoke("data", "add", "folder", *place)
    listed = {row["name"]: row for row in json.loads(invoke("data", "list", "--json").stdout)}
    assert all(listed[name]["ready"] for name in ("my-clips", "Other_2", "folder"))
    captions = {
        name: load_dataset(name, Silent(), workers=1).splits["test"].captions
        for name in ("my-clips", "other_2")
    }
    assert captions == {"my-clips": ("blue",), "other_2": ("y", "z")}
    dry_run = ("run", "--methods", "clip4clip", "--datasets", "OTHER_2,my-clips", "--dry-run", "--json")
    assert "Other_2 has no split 'val'; it has train, test" in invoke(*dry_run).stderr
    dry = invoke(*dry_run, "--set", "training.epochs=0")
    assert [cell["spec"]["dataset"] for cell in json.loads(dry.stdout)["cells"]] == ["Other_2", "my-clips"]
    checked = json.loads(invoke("data", "check", "other_2", "--quick", "--json").stdout)
    assert (checked["name"], checked["splits"][-1]["captions"]) == ("Other_2", 2)
    assert len(code_fingerprint(resolve("clip4clip", "my-clips", {}))) == 64
    found = json.loads(invoke("doctor", "--json").stdout)["findings"]
    assert {f["subject"]: f["state"] for f in found}["my-clips"] == "ok"


def test_two_names_for_the_same_files_deal_the_same_splits(
    work: Path, tmp_path: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    names = [f"v{i}" for i in range(20)]
    small.touch(tmp_path / "many", [f"{name}.mp4" for name in names])
    table = small.write_lines(tmp_path / "many.csv", ["video,caption", *(f"{name},x" for name in names)])
    for name in ("one", "two"):
        said = lines(invoke("data", "add", name, "--videos", tmp_path / "many", "--captions", table))
        assert any(line.startswith("note: many.csv has no split column: 4 of 20 videos") for line in said)
    one, two = (load_dataset(name, Silent(), workers=1) for name in ("one", "two"))
    assert one.splits == two.splits
    assert one.fingerprint == two.fingerprint


def test_a_root_that_holds_captions_is_enough_for_a_name_of_ones_own(
    work: Path, tmp_path: Path, invoke: Invoke
) -> None:
    root = tmp_path / "set"
    small.touch(root, ["a.mp4"])
    small.write_lines(root / "captions.JSONL", ['{"video": "a", "caption": "x", "split": "test"}'])
    assert "mine: 1 of 1 videos found" in lines(invoke("data", "add", "mine", "--root", root))[0]
    shared = {"BENCH_DATA": str(tmp_path)}
    assert '"set"' in invoke("data", "list", "--json", **shared).stdout
    assert invoke("data", "check", "set", "--quick", **shared).exit_code == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("msrvt", ["unknown dataset 'msrvt'", "did you mean 'msrvtt'", "--videos DIR --captions FILE"]),
        ("my-clips", ["unknown dataset 'my-clips'", "--videos DIR --captions FILE"]),
    ],
)
def test_an_unknown_name_without_captions_is_a_mistake(
    name: str, words: list[str], work: Path, tmp_path: Path, invoke: Invoke
) -> None:
    assert_one_line(invoke("data", "add", name, "--root", tmp_path), *words)
    assert not project_file().exists()


@pytest.mark.parametrize(
    "name", ["a b", "a/b", "../a", "-a", ".a", "a,b", "a@b", "x" * 61, "ä", "", "a\x1b[31m"]
)
def test_a_name_that_could_be_no_folder_or_part_of_a_list_is_refused(
    name: str, work: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    assert_one_line(invoke("data", "add", *place, "--", name), "is no name for a data set")
    assert not project_file().exists()


def test_nothing_is_written_where_the_captions_cannot_be_read(
    work: Path, tmp_path: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    (tmp_path / "mine.csv").write_text("video,caption\n")
    assert_one_line(invoke("data", "add", "my-clips", *place), "holds no caption")
    assert not project_file().exists()


def test_passed_over_columns_are_named_when_a_data_set_is_added_and_checked(
    work: Path, tmp_path: Path, place: tuple[object, ...], invoke: Invoke
) -> None:
    (tmp_path / "mine.csv").write_text("Video,Caption,Split,lang,url\na,red,TRAIN,en,u\nb,blue,test,en,u\n")
    notes = [
        "note: mine.csv: columns passed over: lang, url",
        "note: mine.csv: splits read: 'TRAIN' as train",
    ]
    for said in (invoke("data", "add", "mine", *place), invoke("data", "check", "mine", "--quick")):
        assert [line for line in said.stdout.splitlines() if line.startswith("note: mine.csv")] == notes
    assert json.loads(invoke("data", "check", "mine", "--quick", "--json").stdout)["notes"][:2] == [
        note.removeprefix("note: ") for note in notes
    ]
