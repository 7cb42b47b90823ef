"""The file of a listed video is found however its name is written, and what is no file is missing."""

import os
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av
import pytest
from typer.testing import Result

from core.dataset import Dataset
from core.datasets import load_dataset
from core.datasets.listing import CONTAINERS
from core.datasets.locations import Location, save_location
from core.datasets.sounds import SOUND_SUFFIXES
from core.errors import BenchError
from core.media.demuxing import FORMATS
from core.progress import Silent
from tests.core.datasets import small_copies as small

pytestmark = pytest.mark.usefixtures("project")


def load(root: Path, *names: str, audio: Path | None = None) -> Dataset:
    """The data set of a test of these videos; those without a file are absent."""
    table = small.write_lines(
        root.parent / "t.csv", ["video,caption,split", *(f'"{n}",x,test' for n in names)]
    )
    save_location("folder", Location(annotations=table, videos=root, audio=audio))
    return load_dataset("folder", Silent(), workers=1, options={"missing": "count-as-miss"})


def found(root: Path, *names: str) -> dict[str, str]:
    """By the video's id its file, from the root; those without are left out."""
    root.mkdir(exist_ok=True)
    videos = load(root, *names).videos
    return {video.id: str(video.path.relative_to(root)) for video in videos}


def reason(root: Path, name: str) -> str:
    """Why a video cannot be used."""
    small.touch(root, ["there.mp4"])
    table = small.write_lines(
        root.parent / "t.csv", ["video,caption,split", f"{name},x,test", "there,x,test"]
    )
    save_location("folder", Location(annotations=table, videos=root))
    with pytest.raises(BenchError) as caught:
        load_dataset("folder", Silent(), workers=1)
    return str(caught.value)


COMPOSED, APART = (unicodedata.normalize(form, "café ö") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("listed", [COMPOSED, APART])
@pytest.mark.parametrize("stored", [COMPOSED, APART])
@pytest.mark.parametrize("shape", ["{}", "{}.mp4", "a/{}.mp4", "{}/b.mp4", "{0}/{0}"])
def test_both_spellings_of_a_letter_meet(listed: str, stored: str, shape: str, tmp_path: Path) -> None:
    root = tmp_path / "v"
    place = shape.format(stored)
    small.touch(root, [place if place.endswith(".mp4") else f"{place}.mp4"])
    (file,) = found(root, shape.format(listed)).values()
    assert unicodedata.normalize("NFC", file).removesuffix(".mp4") == shape.format(COMPOSED).removesuffix(
        ".mp4"
    )


def test_one_video_in_both_spellings_is_one_video_and_two_files_are_ambiguous(tmp_path: Path) -> None:
    small.touch(tmp_path / "v", [f"{APART}.mp4"])
    (video,) = load(tmp_path / "v", COMPOSED, APART).splits["test"].videos
    assert video.id == COMPOSED
    small.touch(tmp_path / "v", [f"{COMPOSED}.mp4"])
    with pytest.raises(BenchError, match="none of the 1 test videos.*several files"):
        load(tmp_path / "v", COMPOSED)


def test_the_sound_file_of_a_name_is_found_in_both_spellings(tmp_path: Path) -> None:
    small.touch(tmp_path / "v", [f"{COMPOSED}.mp4", f"a/{COMPOSED}.mp4"])
    small.touch(tmp_path / "s", [f"{APART}.wav", f"a/{APART}.WAV"])
    (tmp_path / "s" / f"{APART}.wav").rename(tmp_path / "s" / f"{APART}.FLAC")
    (one,) = load(tmp_path / "v", f"a/{COMPOSED}", audio=tmp_path / "s").videos
    assert one.sound == tmp_path / "s" / "a" / f"{APART}.WAV"


@pytest.mark.parametrize("listed", ["c", "c.mp4", "c.MP4"])
@pytest.mark.parametrize("folder", ["", "s/", "S/t/"])
def test_an_extension_is_found_in_any_case_in_any_folder(listed: str, folder: str, tmp_path: Path) -> None:
    small.touch(tmp_path / "v", [f"{folder}c.Mp4"])
    assert found(tmp_path / "v", folder + listed) == {folder + listed: f"{folder}c.Mp4"}


def test_of_two_cases_the_one_that_is_written_is_taken(tmp_path: Path) -> None:
    small.touch(tmp_path / "v", ["c.mp4", "c.MP4"])
    assert found(tmp_path / "v", "c.MP4") == {"c.MP4": "c.MP4"}
    assert found(tmp_path / "v", "c.mp4") == {"c.mp4": "c.mp4"}


@pytest.mark.parametrize("extension", CONTAINERS)
def test_a_name_without_extension_is_found_with_every_one_that_is_read(
    extension: str, tmp_path: Path
) -> None:
    small.touch(tmp_path / "v", [f"a{extension.upper()}", f"s/b{extension}"])
    assert found(tmp_path / "v", "a", "s/b") == {"a": f"a{extension.upper()}", "s/b": f"s/b{extension}"}


def test_the_extensions_are_those_of_the_formats_that_are_read() -> None:
    """FFmpeg names some of a format's extensions; of pictures and sound those are listed."""
    named = {"ts", "mts", "m2ts", "ogv", "vob", "gif", "asf", "3g2", "mpg", "wmv", "flv", "avi", "mxf"}
    assert {f".{name}" for name in named} <= set(CONTAINERS)
    stills, subtitles, manifests = {"heic", "heif", "avif", "jxl", "j2k", "mpo"}, {"mks"}, {"ism", "isma"}
    odd_sound = {"apl", "mac", "omg"}
    extensions: set[str] = set()
    for name in FORMATS.split(","):
        with suppress(ValueError):  # FFmpeg lists some formats under another name
            extensions |= set() if name.endswith("_pipe") else av.format.ContainerFormat(name, "r").extensions
    assert len(extensions) > 50
    films_and_sound = extensions - stills - subtitles - manifests - odd_sound
    assert {f".{extension}" for extension in films_and_sound} <= {*CONTAINERS, *SOUND_SUFFIXES.split()}


def test_an_absolute_path_inside_the_folder_is_inside(tmp_path: Path) -> None:
    root = tmp_path / "v"
    small.touch(root, ["a.mp4", "s/b.mp4"])
    (tmp_path / "link").symlink_to(root)
    assert found(root, f"{root}/a.mp4", f"{tmp_path}/link/s/b") == {"a.mp4": "a.mp4", "s/b": "s/b.mp4"}
    assert found(tmp_path / "link", f"{root}/a.mp4") == {"a.mp4": "a.mp4"}
    small.touch(tmp_path / "v2", ["a.mp4"])
    for outside in (f"{tmp_path}/v2/a.mp4", f"{root}/../v2/a.mp4", f"{root}", "/", "../v2/a.mp4"):
        with pytest.raises(BenchError, match="line 2.*(leads out|no name)"):
            load(root, outside)


def test_a_link_that_leads_nowhere_is_a_missing_file(tmp_path: Path, invoke: Callable[..., Result]) -> None:
    root = tmp_path / "v"
    small.touch(root, ["b.mp4"])
    (root / "a.mp4").symlink_to("/nowhere/gone.mp4")
    (root / "loop.mp4").symlink_to("loop.mp4")
    assert found(root, "a", "b", "loop") == {"b": "b.mp4"}
    for name in ("a", "loop"):
        assert "is a link to" in reason(root, name)
    load(root, "a", "b")
    added = invoke("data", "add", "folder", "--videos", root, "--captions", tmp_path / "t.csv")
    assert "1 of 2 videos found" in added.stdout
    checked = invoke("data", "check", "folder", "--quick")
    assert checked.exit_code == 1
    assert "1 missing" in checked.stdout
    assert "/nowhere/gone.mp4, which cannot be reached" in " ".join(checked.stdout.split())
    # A file of another extension takes the place of a link that leads nowhere.
    small.touch(root, ["a.webm"])
    assert found(root, "a") == {"a": "a.webm"}


def test_a_pipe_and_a_folder_are_no_files(tmp_path: Path) -> None:
    root = tmp_path / "v"
    small.touch(root, ["b.mp4/x.txt"])
    os.mkfifo(root / "a.mp4")
    assert "a.mp4 is not a regular file" in reason(root, "a")
    assert "no file b.mp4" in reason(root, "b.mp4")
    assert "s/a.mp4 is not a regular file" not in reason(root, "s/a.mp4")


@pytest.mark.parametrize("name", [r"s\a.mp4", r".\s\a.mp4", r"C:\s\a.mp4"])
def test_a_path_with_backslashes_gets_a_hint(name: str, tmp_path: Path) -> None:
    small.touch(tmp_path / "v", ["s/a.mp4"])
    assert "write paths from there and with /, e.g. s/a.mp4" in reason(tmp_path / "v", name)


def test_a_file_whose_name_holds_a_backslash_is_found(tmp_path: Path) -> None:
    small.touch(tmp_path / "v", [r"s\a.mp4"])
    assert found(tmp_path / "v", r"s\a.mp4") == {r"s\a.mp4": r"s\a.mp4"}
