"""A broken library or a pair that cannot work is one line; `--version` says what this installation is."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from core import versions
from core.errors import BenchError
from core.lock import lock_digest
from core.versions import broken_library, check_trio, version_line

BENCH = Path(sys.executable).with_name("bench")
DECLARED = {
    "torchvision": {
        "0.26.0": ["torch==2.11.0", "numpy"],
        "0.29.2": ["torch (>=2.14.0)", "scipy; extra == 'scipy'"],
    },
    "torchaudio": {"2.11.0": [], "2.11.1": ["torch>=2.11"]},
}
"""What the libraries' metadata asks for."""


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """Has the metadata say that these versions are installed."""

    def installed(torch: str, torchvision: str, torchaudio: str) -> None:
        found = {"torch": torch, "torchvision": torchvision, "torchaudio": torchaudio}
        monkeypatch.setattr(versions, "package_version", found.__getitem__)
        monkeypatch.setattr(
            versions, "requires", lambda name: DECLARED.get(name, {}).get(found[name].partition("+")[0])
        )

    return installed


@pytest.mark.parametrize(
    "trio",
    [
        ("2.11.0", "0.26.0", "2.11.0"),
        ("2.11.0+cu130", "0.26.0+cu130", "2.11.0"),
        ("2.15.0", "0.29.2", "2.11.1"),
    ],
    ids=" ".join,
)
def test_a_trio_that_ran_is_taken(install, trio):
    install(*trio)
    check_trio()


@pytest.mark.parametrize(
    ("trio", "said"),
    [
        (("2.11.0", "0.26.0", "2.11.1"), "torchaudio 2.11.1 cannot work beside torch 2.11.0"),
        (("2.11.0+cu130", "0.26.0", "2.11.1"), "torchaudio 2.11.1 cannot work beside torch 2.11.0+cu130"),
        (("2.15.0", "0.26.0", "2.11.1"), "torchvision 0.26.0 cannot work beside torch 2.15.0"),
        (("2.11.0", "0.29.2", "2.11.0"), "torchvision 0.29.2 cannot work beside torch 2.11.0"),
        (("absent", "0.29.2", "2.11.1"), "torch is not installed"),
        (("2.15.0", "0.29.2", "absent"), "torchaudio is not installed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_pair_that_cannot_work_is_named_with_the_remedy(install, trio, said):
    install(*trio)
    with pytest.raises(BenchError, match=rf"^{re.escape(said)}.*make setup"):
        check_trio()


def library(folder: Path, name: str, body: str) -> None:
    """A package that runs `body` when it is imported."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(body)


@pytest.mark.parametrize(
    "body",
    [
        "raise ImportError('libtorch.so: undefined symbol: torch_x')",
        "raise OSError('undefined symbol: torch_x')",
        "def register(): raise RuntimeError('undefined symbol: torch_x')\nregister()",
        "try:\n import no_such_name\nexcept ImportError: raise RuntimeError('undefined symbol: torch_x')",
    ],
)
def test_an_error_while_a_library_is_imported_is_one_line(tmp_path, monkeypatch, body):
    monkeypatch.syspath_prepend(tmp_path)
    library(tmp_path, "brokenlib", body)
    library(
        tmp_path,
        "outerlib",
        "try:\n import brokenlib\nexcept Exception as e: raise ImportError('lazy') from e",
    )
    for name in ("brokenlib", "outerlib"):
        line = line_of_import(name)
        assert line is not None
        assert "\n" not in line
        assert "make setup" in line
        assert all(f"{part} " in line for part in versions.TRIO)
    assert line_of_import("brokenlib").startswith("brokenlib cannot be imported (")  # type: ignore[union-attr]


def line_of_import(name: str) -> str | None:
    """What is said of an import that fails."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which error it is, is the library's affair
        __import__(name)
    return broken_library(caught.value)


def test_a_package_that_is_absent_is_named():
    assert (line_of_import("nothing_of_that_name") or "").startswith(
        "nothing_of_that_name cannot be imported"
    )


@pytest.mark.parametrize(
    "code", ["1 / 0", "from core.errors import Missing", "import core.nothing", "int('x')"]
)
def test_an_error_of_this_project_stays_a_traceback(code):
    """Its frames are no library's top level."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        exec(compile(code, "own", "exec"), {"__name__": "core.made_up"})
    assert broken_library(caught.value) is None


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with `folder` before everything that is installed."""
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([BENCH, *arguments], capture_output=True, text=True, env=environment, check=False)


def test_bench_says_in_one_line_that_torch_is_broken(tmp_path):
    library(tmp_path, "torch", "raise ImportError('libtorch_cpu.so: undefined symbol: torch_x')")
    done = bench(tmp_path, "audit", "gaid")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(
        "bench: torch cannot be imported (libtorch_cpu.so: undefined symbol: torch_x)"
    )


def test_bench_refuses_a_pair_before_it_imports_torch(tmp_path):
    library(tmp_path, "torch", "raise SystemExit('imported')")
    for name, number in (("torch", "2.11.0"), ("torchvision", "0.26.0"), ("torchaudio", "2.11.1")):
        (tmp_path / f"{name}-{number}.dist-info").mkdir()
        (tmp_path / f"{name}-{number}.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"
        )
    done = bench(tmp_path, "audit", "gaid")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "torchaudio 2.11.1 cannot work beside torch 2.11.0" in done.stderr


def test_the_version_is_said_without_torch(tmp_path):
    library(tmp_path, "torch", "raise SystemExit('imported')")
    done = bench(tmp_path, "--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, version_line(), "")
    assert re.fullmatch(
        rf"bench \d+\.\d+\.\d+, commit ([0-9a-f]{{12}}( with changes)?|unknown), lock {lock_digest()}",
        done.stdout.strip(),
    )
