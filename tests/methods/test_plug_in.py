"""The worked example of docs/add-a-method.md: dropped into the folder, and installed as a package."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import Result

import methods
from core.errors import BenchError
from core.method import registered_methods
from core.progress import Silent
from core.running.cells import digest, prepare_materials, run_cell
from core.runs import open_run
from core.spec import resolve
from reports.collect import read_run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "late_fusion.py"
BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"


def forget() -> None:
    """The registry looks again, and the module is loaded again."""
    registered_methods.cache_clear()
    for name in ("late_fusion", "methods.late_fusion"):
        sys.modules.pop(name, None)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test finds a registry that has not looked, and leaves one."""
    forget()
    yield
    monkeypatch.undo()
    forget()


def installed(folder: Path, source: str, project: str) -> Path:
    """A package built into a wheel and unpacked as an installer does, without a network; its folder."""
    package = folder / "package"
    package.mkdir()
    (package / "late_fusion.py").write_text(source)
    (package / "pyproject.toml").write_text(project)
    command = [sys.executable, "-c", BUILD, str(folder)]
    subprocess.run(command, cwd=package, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def project() -> str:
    """The pyproject.toml that the page shows."""
    page = (ROOT / "docs" / "add-a-method.md").read_text()
    return page.split("```toml\n")[1].split("```")[0]


@pytest.fixture
def site(project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example as an installed package that this process sees."""
    folder = installed(tmp_path, EXAMPLE.read_text(), project)
    monkeypatch.syspath_prepend(folder)
    return folder


def test_the_example_has_at_most_sixty_lines() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 60


def test_a_file_in_the_folder_is_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(registered_methods())
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(EXAMPLE.parent)])
    forget()
    assert set(registered_methods()) - before == {"late_fusion"}


def test_an_installed_package_is_listed_and_passes_the_audit(
    site: Path, invoke: Callable[..., Result]
) -> None:
    assert "Late fusion" in invoke("methods").stdout
    audit = invoke("audit", "late_fusion", "--condition", "leak-free,released", "--size", "100")
    assert audit.exit_code == 0, audit.stdout
    assert "It reacts to sound" in audit.stdout


def test_it_trains_and_is_scored(site: Path, tmp_path: Path) -> None:
    spec = resolve("late_fusion", "avworld-tiny", {"training.epochs": 1, "config.share": 0.5})
    run = open_run(tmp_path / "runs", spec, digest(spec, prepare_materials(spec, Silent(), workers=1)))
    run_cell(spec, run, Silent())
    assert {asked.condition for asked in read_run(run).answers} == {"leak-free", "released"}


def test_the_tests_of_every_method_test_it_too(site: Path) -> None:
    search = os.pathsep.join(filter(None, (str(site), str(ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "pytest", "-n", "0", "tests/methods/test_every_method.py", "-k"]
    found = subprocess.run(
        [*command, "late_fusion"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout
    assert "12 passed" in found.stdout


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nothing_of_that_name", "late-fusion cannot be loaded .*nothing_of_that_name"),
        ("LateFusion = 3", "late-fusion is late_fusion:LateFusion, no method"),
    ],
)
def test_a_package_that_offers_no_method_is_named(
    source: str, words: str, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, source, project))
    with pytest.raises(BenchError, match=words):
        registered_methods()


def test_two_methods_of_one_name_are_refused(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = EXAMPLE.read_text().replace('"late_fusion"', '"xpool"')
    monkeypatch.syspath_prepend(installed(tmp_path, source, project))
    with pytest.raises(BenchError, match="two methods are called 'xpool'"):
        registered_methods()
