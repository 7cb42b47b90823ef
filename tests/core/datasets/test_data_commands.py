"""`bench data add | check | list` on small copies of the data sets and on clips in every condition."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from tests.command_line import assert_one_line
from tests.core.datasets import small_copies as small
from tests.core.media_files import grey_ramp, tone, write_media

Invoke = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """One clip in each condition, under names that are hard on shells and decoders."""
    folder = tmp_path / "clips"
    folder.mkdir()
    ramp, sound = grey_ramp(20), tone(440, 0, 2, 2.0, 16_000)
    write_media(folder / "-loud.mkv", ramp, sound=[sound])
    write_media(folder / "short.mkv", ramp, sound=[sound[:8_000]])
    write_media(folder / "still.mkv", ramp, sound=[np.zeros(32_000, np.float32)])
    write_media(folder / "mute.", ramp)
    (folder / "page.mp4").write_text("<html>404</html>")
    rows = [f"{name},a caption,test" for name in ("-loud", "short.mkv", "still", "mute.", "page.mp4", "gone")]
    small.write_lines(tmp_path / "mine.csv", ["video,caption,split", *rows])
    return folder


def test_check_counts_every_condition(clips: Path, invoke: Invoke, tmp_path: Path) -> None:
    place = ("--videos", clips, "--captions", tmp_path / "mine.csv")
    result = invoke("data", "check", "folder", *place, "--workers", "1", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    (test,) = report["splits"]
    counts = {key: test[key] for key in ("split", "videos", "captions", "found", "missing", "ambiguous")}
    assert counts == {"split": "test", "videos": 6, "captions": 6, "found": 5, "missing": 1, "ambiguous": 0}
    assert test["states"] == {
        "audible": 1,
        "shorter sound": 1,
        "silent": 1,
        "no track": 1,
        "bad sound": 0,
        "no moving picture": 0,
        "undecodable": 1,
    }
    assert set(report["problems"]) == {"missing", "shorter sound", "silent", "no track", "undecodable"}
    assert list(report["problems"]["missing"]) == ["gone"]
    assert not report["whole"]
    table = invoke("data", "check", "folder", *place, "--workers", "1")
    assert table.exit_code == 1
    assert all(
        words in table.stdout for words in ("undecodable", "page.mp4 (", "gone (no file gone", "sha256")
    )


def test_quick_check_opens_no_file(clips: Path, invoke: Invoke, tmp_path: Path) -> None:
    place = ("--videos", clips, "--captions", tmp_path / "mine.csv")
    report = json.loads(invoke("data", "check", "folder", *place, "--quick", "--json").stdout)
    assert report["splits"][0]["states"] is None
    assert set(report["problems"]) == {"missing"}


def test_check_shows_the_counts_that_it_expected(invoke: Invoke, tmp_path: Path) -> None:
    root = small.msrvtt_clip4clip(tmp_path / "data")
    result = invoke("data", "check", "msrvtt", "--root", root, "--quick", "--set", "data.train=7k")
    assert result.exit_code == 0
    for words in ("7,010 videos (train + val)", "1,000 videos · 1,000 captions", "data.train=7k"):
        assert words in result.stdout
    (root / "MSRVTT_Videos" / "video7.mp4").unlink()
    result = invoke("data", "check", "msrvtt", "--root", root, "--quick")
    assert result.exit_code == 1
    assert "1 missing: video7 (no file video7.mp4 under" in result.stdout


def test_add_is_remembered_and_the_list_says_so(invoke: Invoke, project: Path, tmp_path: Path) -> None:
    root = small.vatex(tmp_path / "data", "official")
    assert "bench data add vatex" in invoke("data", "list").stdout
    added = invoke("data", "add", "vatex", "--root", root)
    assert added.exit_code == 0
    assert "7 of 7 videos found" in added.stdout
    assert (project / "bench.toml").is_file()
    assert "bench data add vatex" not in invoke("data", "list").stdout
    assert invoke("data", "check", "vatex", "--quick").exit_code == 0


def test_the_variable_names_a_folder_of_data_sets(invoke: Invoke, tmp_path: Path) -> None:
    small.lsmdc(tmp_path / "sets" / "lsmdc", per_film=True)
    assert invoke("data", "check", "lsmdc", "--quick", BENCH_DATA=str(tmp_path / "sets")).exit_code == 0
    dry = ("run", "--methods", "gaid", "--datasets", "lsmdc", "--dry-run")
    assert "to do" in invoke(*dry, BENCH_DATA=str(tmp_path / "sets")).stdout
    assert "no data" in invoke(*dry).stdout


def test_the_list_says_where_the_owners_are_and_where_files_go(invoke: Invoke) -> None:
    text = " ".join(invoke("data", "list").stdout.split())
    for words in ("avworld-tiny", "1k-A", "LocalizingMoments", "describingmovies", "vatex-website"):
        assert words in text
    for words in ("MSRVTT_JSFUSION_test.csv", "train_data.json", "publictect.csv", "ref_captions.json"):
        assert words in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("data", "add", "msrvt", "--root", "."), ["unknown dataset 'msrvt'", "'msrvtt'"]),
        (("data", "add", "msrvtt"), ["--root DIR"]),
        (("data", "add", "msrvtt", "--root", "nowhere"), ["nowhere: no such file or folder"]),
        (("data", "add", "msrvtt", "--root", "."), ["no sentences under", "MSRVTT_data.json"]),
        (("data", "add", "avworld", "--root", "."), ["avworld is generated"]),
        (("data", "check", "didemo"), ["bench data add didemo --root DIR", "BENCH_DATA"]),
        (("data", "check", "didemo", "--root", "."), ["no whole set", "train_data.json"]),
        (("data", "check", "lsmdc", "--root", "."), ["LSMDC16_annos_training.csv"]),
        (("data", "check", "vatex", "--root", "."), ["vatex_training_v1.0.json"]),
        (("data", "check", "folder", "--root", "."), ["captions.csv"]),
        (("data", "check", "vatex", "--root", ".", "--set", "data.captions=some"), ["captions", "'some'"]),
        (("data", "check", "vatex", "--root", ".", "--set", "data.match=stem"), ["match", "data.captions"]),
        (("run", "--methods", "gaid", "--datasets", "msrvtt"), ["bench data add msrvtt --root DIR"]),
        (("run", "--datasets", "msrvtt", "--set", "data.train=8k", "--dry-run"), ["train", "'8k'"]),
        (("run", "--datasets", "msrvtt", "--set", "data.match=stem", "--dry-run"), ["unknown key", "msrvtt"]),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...], words: list[str], invoke: Invoke, project: Path
) -> None:
    assert_one_line(invoke(*arguments), *words)
    assert not (project / "bench.toml").exists()
