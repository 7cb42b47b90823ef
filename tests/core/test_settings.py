"""bench.toml: which one counts, what is written into it, and what is wrong with it."""

from pathlib import Path

import pytest

from core.datasets.locations import (
    Location,
    chosen_location,
    find_location,
    location_of,
    named_in_settings,
    require_location,
    save_location,
)
from core.errors import BenchError
from core.settings import (
    account_file,
    project_file,
    read_settings,
    remove_setting,
    settings_files,
    write_setting,
)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A working directory without a project, and a configuration folder."""
    work, config = tmp_path / "work", tmp_path / "config"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_config_dir", lambda name: str(config / name))
    return work, config / "av-retrieval-bench"


def place(folder: str) -> Location:
    return Location(annotations=Path(folder), videos=Path(folder))


def test_without_a_mark_the_working_directory_is_the_project(folders: tuple[Path, Path]) -> None:
    file = save_location("msrvtt", place("/data/msrvtt"))
    assert file == folders[0] / "bench.toml"
    assert find_location("msrvtt") == place("/data/msrvtt")
    assert find_location("vatex") is None
    assert not folders[1].exists()


def test_the_projects_file_counts_and_the_accounts_adds_to_it(folders: tuple[Path, Path]) -> None:
    save_location("msrvtt", place("/config/msrvtt"), account_file())
    save_location("vatex", place("/config/vatex"), account_file())
    assert account_file() == folders[1] / "bench.toml"
    assert save_location("msrvtt", place("/project/msrvtt")) == folders[0] / "bench.toml"
    assert find_location("msrvtt") == place("/project/msrvtt")
    assert find_location("vatex") == place("/config/vatex")
    assert named_in_settings() == ["msrvtt", "vatex"]
    remove_setting("data", "msrvtt", project_file())
    assert find_location("msrvtt") == place("/config/msrvtt")
    assert (folders[0] / "bench.toml").read_text() == ""


@pytest.mark.parametrize("mark", ["bench.toml", "pyproject.toml", "runs/"])
def test_the_project_is_found_from_a_folder_below(
    mark: str, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folders[0] / mark).mkdir() if mark.endswith("/") else (folders[0] / mark).touch()
    (folders[0] / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(folders[0] / "a" / "b")
    assert project_file() == folders[0] / "bench.toml"
    assert settings_files() == [folders[0] / "bench.toml", folders[1] / "bench.toml"]


def test_a_path_in_the_file_counts_from_its_folder_and_the_users(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    (folders[0] / "bench.toml").write_text('[data.mine]\nannotations = "c.csv"\nvideos = "~/clips"\n')
    (folders[0] / "below").mkdir()
    monkeypatch.chdir(folders[0] / "below")
    assert find_location("mine") == Location(annotations=folders[0] / "c.csv", videos=Path("/home/me/clips"))


def test_what_else_stands_in_the_file_stays(folders: tuple[Path, Path]) -> None:
    file = folders[0] / "bench.toml"
    file.write_text(
        '# mine\n[weights]\nfolder = "/w"  # here\n\n[data.vatex]\nannotations = "/v"\nvideos = "/v"\n'
    )
    save_location("msrvtt", place('/odd "name"\\ä'))
    text = file.read_text()
    assert "# mine" in text and "# here" in text
    assert read_settings("weights") == {"folder": "/w"}
    assert find_location("vatex") == place("/v")
    assert find_location("msrvtt") == place('/odd "name"\\ä')
    save_location("msrvtt", place("/other"))
    assert find_location("msrvtt") == place("/other")
    assert file.read_text().count("[data.msrvtt]") == 1
    assert {path.name for path in folders[0].iterdir()} <= {"bench.toml", ".bench.toml.lock"}


def test_the_variable_overrides_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    save_location("msrvtt", place("/data/msrvtt"))
    monkeypatch.setenv("BENCH_DATA", "/sets")
    assert find_location("msrvtt") == place("/sets/msrvtt")
    assert find_location("folder") == place("/sets/folder")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[data", "bench.toml"),
        ("data = 3", "data is no table"),
        ('[data.msrvtt]\nroot = "/x"', r"\[data.msrvtt\] annotations"),
        ('[data.msrvtt]\nannotations = "/x"\nvideos = 3', r"\[data.msrvtt\] videos"),
    ],
)
def test_a_damaged_file_is_one_line(text: str, words: str, folders: tuple[Path, Path]) -> None:
    (folders[0] / "bench.toml").write_text(text)
    with pytest.raises(BenchError, match=words) as caught:
        find_location("msrvtt")
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_written(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(BenchError, match="cannot write .*Permission denied"):
        write_setting("data", "msrvtt", {"videos": "/x"})


def test_an_unknown_place_is_answered_with_the_command() -> None:
    with pytest.raises(BenchError, match="bench data add msrvtt --root DIR .or set BENCH_DATA"):
        require_location("msrvtt")


def test_options_mean_a_place(tmp_path: Path) -> None:
    captions = tmp_path / "c.csv"
    captions.touch()
    assert location_of(tmp_path, None, None) == Location(annotations=tmp_path, videos=tmp_path)
    assert location_of(None, tmp_path, captions) == Location(annotations=captions, videos=tmp_path)
    for options in ((None, None, None), (None, tmp_path, None), (None, None, captions)):
        with pytest.raises(BenchError, match="--root DIR, or --videos DIR and --captions FILE"):
            location_of(*options)
    with pytest.raises(BenchError, match="no such file or folder"):
        location_of(tmp_path / "none", None, None)
    with pytest.raises(BenchError, match="--videos takes the folder of the videos"):
        location_of(tmp_path, captions, None)
    with pytest.raises(BenchError, match="--audio takes the folder of the audio"):
        location_of(tmp_path, None, None, captions)
    with pytest.raises(BenchError, match="nowhere: no such file or folder"):
        location_of(tmp_path, None, None, tmp_path / "nowhere")


def test_the_folder_of_the_sound_is_kept_and_can_be_named_for_a_known_place(tmp_path: Path) -> None:
    sound = tmp_path / "sound"
    sound.mkdir()
    save_location("msrvtt", location_of(tmp_path, None, None))
    assert require_location("msrvtt").audio is None
    known = chosen_location("msrvtt", None, None, None, sound)
    assert known == Location(annotations=tmp_path, videos=tmp_path, audio=sound)
    save_location("msrvtt", known)
    assert require_location("msrvtt") == chosen_location("msrvtt", None, None, None, None) == known
    # A place that is named anew is named whole.
    assert chosen_location("msrvtt", tmp_path, None, None, None).audio is None
