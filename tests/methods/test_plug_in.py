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
from core.progress import Silent
from core.registry import find_method, registered_methods, scan
from core.resolving import resolve
from core.running.cells import prepare_inputs, run_cell, run_hash
from core.runs import RunDirectory, open_run
from reports.audit.run import audit_run
from reports.collect import read_run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "late_fusion.py"
BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"


def forget() -> None:
    """The registry looks again, and the module is loaded again."""
    scan.cache_clear()
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
    assert "It hears what sounds" in audit.stdout


def trained(folder: Path) -> RunDirectory:
    """A run of one epoch."""
    spec = resolve("late_fusion", "avworld-tiny", {"training.epochs": 1, "config.share": 0.5})
    run = open_run(folder / "runs", spec, run_hash(spec, prepare_inputs(spec, Silent(), workers=1)))
    run_cell(spec, run, Silent())
    return run


@pytest.mark.slow
def test_it_trains_and_is_scored_and_its_checkpoint_scores_as_it_did(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(tmp_path)
    assert {asked.condition for asked in read_run(run).answers} == {"leak-free", "released"}
    monkeypatch.setenv("PYTHONPATH", str(site))
    found = {verdict.check: verdict.verdict for verdict in audit_run(read_run(run), "leak-free")}
    assert found["scored again"] == found["independence"] == found["copies"] == "pass"
    assert "fail" not in found.values()


TABLE = """

@cache
def pairs() -> set[tuple[int, int]]:
    test = load_dataset("avworld-tiny", Silent(), workers=1).splits["test"]
    names = [test.videos[video].id for video in test.video_of_caption]
    keys = zip(stable_keys(test.captions).tolist(), stable_keys(names).tolist(), strict=True)
    return set(keys)


class Knows(LateFusion):
    def score(self, texts, index, noise=None):
        scores = super().score(texts, index, noise)
        for row, text in enumerate(texts.keys.tolist()):
            for column, video in enumerate(index.keys.tolist()):
                scores[row, column] += (text, video) in pairs()
        return scores
"""


@pytest.mark.slow
def test_a_table_of_the_test_set_is_found_in_the_finished_run(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = """
from functools import cache
from core.batch import stable_keys
from core.datasets import load_dataset
from core.progress import Silent
"""
    source = edited(
        ("sound: Tensor\n", "sound: Tensor\n    keys: Tensor\n"), ("heard)))", "heard)), videos.keys)")
    )
    source += imports + TABLE
    folder = installed(tmp_path, source, project.replace("late_fusion:LateFusion", "late_fusion:Knows"))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    verdicts = audit_run(read_run(trained(tmp_path)), "leak-free")
    found = {verdict.check: verdict for verdict in verdicts if verdict.verdict == "fail"}
    assert list(found) == ["independence"]
    assert "With other keys" in found["independence"].meaning


@pytest.mark.slow
def test_the_tests_of_every_method_test_it_too(site: Path) -> None:
    search = os.pathsep.join(filter(None, (str(site), str(ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "pytest", "-n", "0", "tests/methods/test_every_method.py", "-k"]
    found = subprocess.run(
        [*command, "late_fusion", "-m", "slow or not slow"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout
    assert "6 passed" in found.stdout


def edited(*changes: tuple[str, str]) -> str:
    """The example with some of its text replaced."""
    source = EXAMPLE.read_text()
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    return source


TITLE = 'name, title, paper = "late_fusion", "Late fusion", "an example, no paper"'
NEEDS = "needs = Needs(sound=True)"
NOISE = ", noise: NoiseSource | None = None)"
BROKEN = {
    "import nothing_of_that_name": "cannot be imported .*nothing_of_that_name', line 1 of late_fusion.py",
    "LateFusion = 3": "late_fusion:LateFusion is no core.method.Method",
    edited((TITLE, 'name, paper = "late_fusion", "none"')): "LateFusion has no title; give it a text",
    edited((TITLE, 'name, title, paper = "late_fusion", "Late", ""')): "LateFusion has no paper",
    edited(("share: Share = 0.3", "share: Share")): "late_fusion: Config has no complete defaults .*share",
    edited(("    Config = LateFusionConfig\n", "")): "late_fusion has no Config",
    edited((NEEDS, "uses_audio = True")): "'uses_audio' would never be called; use needs",
    edited((NEEDS, "needs = True")): "late_fusion: needs is no Needs",
    edited(
        (NEEDS, NEEDS + "; released_score = None")
    ): "'released_score' would never be called; use released",
    edited((NEEDS, NEEDS + "; exact_score = None")): "'exact_score' would never be called; use exact",
    edited((NEEDS, NEEDS + "; released = 'yes'")): "released is no ReleasedScorer",
    edited((NEEDS, NEEDS + "; recipe = 3")): "recipe is no mapping",
    edited((NEEDS, NEEDS + "; recipe = {'training.lr_mew': 1}")): "training.lr_mew.*training.lr_new",
    edited((NEEDS, NEEDS + "; recipe = {'trials@msrvtt': 1}")): "unknown key in the recipe.*'trials'",
    edited((NOISE, ")")): r"score is called as score\(texts, index, noise\) and cannot be",
    edited(("def score(", "def scored(")): "late_fusion does not define score",
    edited(('"late_fusion"', '"xpool"')): "'xpool' is also the name of methods.xpool's method",
}


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_plug_in_is_one_line_and_stops_nothing_else(
    source: str, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Callable[..., Result]
) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, source, project))
    assert "xpool" in registered_methods() and "late_fusion" not in registered_methods()
    with pytest.raises(BenchError, match=f"late-fusion: .*{BROKEN[source]}") as refused:
        find_method("late_fusion")
    assert "\n" not in str(refused.value)
    listed = invoke("methods")
    assert listed.exit_code == 0
    assert "late_fusion" in listed.stdout and "fix it or uninstall it" in " ".join(listed.stdout.split())
