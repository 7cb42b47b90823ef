"""A data set and an encoder of an installed package are found by name; broken ones harm nobody else."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import Result

from core.datasets import find_dataset, load_dataset, registered_datasets
from core.encoders.clip import ClipBackbone
from core.encoders.entry import registered_encoders
from core.plugins import DATASETS, ENCODERS, METHODS, _names_in, names_of
from core.progress import Silent
from tests.command_line import assert_one_line

BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "own-data"
version = "1.0"
[project.entry-points."av_retrieval_bench.datasets"]
own-data = "own_data:OWN"
[project.entry-points."av_retrieval_bench.encoders"]
own-clip = "own_data:CLIP"
[tool.setuptools]
py-modules = ["own_data"]
"""
SOURCE = """
from pathlib import Path

from core.data_options import DataOptions
from core.dataset import Dataset, DatasetEntry, Split, Video
from core.datasets.avworld.shipped import SHIPPED
from core.encoders.entry import ModelFolder


def load(progress, workers, options):
    split = Split((Video("one", Path("one.mp4")),), ("a caption",), (0,))
    return Dataset("own-data", "f", "m", {"test": split})


OWN = DatasetEntry(
    name="own-data", about="mine", clips="test 1", size="small", recipe={"frames": 4},
    fingerprint=lambda options: "f", ready=lambda: True, load=load,
)
CLIP = ModelFolder(name="own-clip", kind="backbone", folder=SHIPPED / "clip")
"""


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test finds registries that have not looked, and leaves such ones."""

    def forget() -> None:
        registered_datasets.cache_clear()
        registered_encoders.cache_clear()
        sys.modules.pop("own_data", None)

    forget()
    yield
    monkeypatch.undo()
    forget()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Builds a package of that source and unpacks it as an installer does."""

    def built(source: str) -> None:
        package = tmp_path / "package"
        package.mkdir()
        (package / "own_data.py").write_text(source)
        (package / "pyproject.toml").write_text(PROJECT)
        subprocess.run([sys.executable, "-c", BUILD, tmp_path], cwd=package, check=True, capture_output=True)
        (wheel,) = tmp_path.glob("*.whl")
        with ZipFile(wheel) as archive:
            archive.extractall(tmp_path / "site")
        monkeypatch.syspath_prepend(tmp_path / "site")

    return built


def test_an_installed_data_set_is_listed_and_planned_like_any_other(
    install: Callable[[str], None], invoke: Callable[..., Result]
) -> None:
    install(SOURCE)
    assert "own-data" in invoke("data", "list").stdout
    assert load_dataset("own-data", Silent(), workers=1).splits["test"].captions == ("a caption",)
    dry = invoke("run", "--methods", "clip4clip", "--datasets", "OWN-DATA", "--dry-run")
    assert dry.exit_code == 0
    assert "own-data" in dry.stdout
    assert_one_line(invoke("run", "--datasets", "own-dat", "--dry-run"), "did you mean 'own-data'?")


def test_an_installed_backbone_is_found_by_its_name(install: Callable[[str], None]) -> None:
    install(SOURCE)
    assert ClipBackbone.load("own-clip").fingerprint == ClipBackbone.load("avworld").fingerprint


def test_a_broken_package_stops_only_who_asks_for_it(
    install: Callable[[str], None], invoke: Callable[..., Result]
) -> None:
    install("raise RuntimeError('half\\nwritten')")
    assert find_dataset("avworld-tiny").name == "avworld-tiny"
    listed = invoke("data", "list")
    assert listed.exit_code == 0
    (line,) = (line for line in listed.stdout.splitlines() if line.startswith("broken: "))
    assert "own-data" in line
    assert "half written" in line
    asked = invoke("run", "--methods", "clip4clip", "--datasets", "own-data", "--dry-run")
    assert_one_line(asked, "own-data", "half written")


def test_names_are_known_without_importing_what_they_name(
    install: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("raise SystemExit\nOWN = Entry(name='own-data')\nCLIP = Entry(name='own-clip')")
    known = names_of(DATASETS)
    assert known is not None
    assert {"own-data", "avworld", "avworld-tiny", "msrvtt", "didemo", "lsmdc", "vatex", "folder"} <= known
    assert {"own-clip", "avworld-wav2vec2", "whisper-base", "ViT-B-16"} <= (names_of(ENCODERS) or set())
    assert {"gaid", "tmass", "xpool", "clip4clip"} <= (names_of(METHODS) or set())
    assert "own_data" not in sys.modules


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("name = 'mine'", {"mine"}),
        ("name: str = 'mine'", {"mine"}),
        ("name, title = 'mine', 'Mine'", {"mine"}),
        ("name, title = make()", None),
        ("name = PREFIX + 'mine'", None),
        ("name: str", set()),
        ("title = 'Mine'", set()),
    ],
)
def test_a_class_names_itself_in_its_body(body: str, names: set[str] | None, tmp_path: Path) -> None:
    file = tmp_path / "source.py"
    file.write_text(f"class Mine:\n    {body}\n")
    assert _names_in(file) == names


def test_a_source_that_computes_its_names_is_not_guessed_at(install: Callable[[str], None]) -> None:
    install("import core.datasets\nOWN = make_entries()")
    assert names_of(DATASETS) is None
