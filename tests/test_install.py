"""`make setup`: which Python the environment has, when it is made again, and what is installed into it."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
UV = """#!/bin/sh
echo "$*" >>uv.log
case $1 in
  python) for last; do :; done; [ -x "$last" ] && echo "$last" ;;
  venv)
    for last; do :; done
    mkdir -p "$last/bin"
    touch "$last/pyvenv.cfg"
    while [ $# -gt 1 ] && [ "$1" != --python ]; do shift; done
    [ "$1" = --python ] && cp "$2" "$last/bin/python" || cp python3.11 "$last/bin/python"
    ;;
esac
"""
"""Stands for uv: finds a Python by its path, makes an environment of it, writes down what it is asked for."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the scripts beside Pythons that only say their version."""
    shutil.copytree(REQUIREMENTS, tmp_path / "requirements")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    programs = {"uv": UV}
    for number in ("3.10.4", "3.11.7", "3.12.1", "3.14.0"):
        programs[f"python{number.rpartition('.')[0]}"] = f"#!/bin/sh\necho {number}\n"
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(stat.S_IRWXU)
    return tmp_path


def install(project: Path, lock: str = "run", python: str = "") -> subprocess.CompletedProcess[str]:
    """What `make setup PYTHON=...` runs."""
    chosen = [str(project / python)] if python else []
    command = [project / "requirements" / "install.sh", lock, str(project / "uv"), ".venv", *chosen]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def asked(project: Path) -> list[str]:
    """What uv was asked for since the last look."""
    log = project / "uv.log"
    lines = log.read_text().splitlines()
    log.unlink()
    return lines


def python_of(project: Path) -> str:
    return subprocess.check_output([project / ".venv" / "bin" / "python"], text=True).strip()


@pytest.mark.parametrize("lock", ["run", "all"])
def test_the_lock_is_installed_with_hashes_and_without_building_then_the_project_alone(project, lock):
    assert install(project, lock).returncode == 0
    first, second = [line for line in asked(project) if line.startswith("pip")]
    assert {"--require-hashes", "--no-build"} <= set(first.split())
    assert first.endswith(f"-r requirements/{lock}.txt")
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(second.split())


def test_the_environment_changes_its_python_only_when_another_is_asked_for(project):
    install(project, python="python3.12")
    assert python_of(project) == "3.12.1"
    asked(project)
    for same in ("", "python3.12"):
        assert install(project, python=same).returncode == 0
        assert not [line for line in asked(project) if line.startswith("venv")]
    assert python_of(project) == "3.12.1"
    install(project, python="python3.11")
    assert python_of(project) == "3.11.7"


def test_what_was_changed_by_hand_is_installed_again_and_the_project_only_where_it_changed(project):
    install(project)
    asked(project)
    install(project)
    assert [line.split()[-1] for line in asked(project)] == ["requirements/run.txt"]
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    install(project)
    assert any("--editable" in line for line in asked(project))


def test_an_environment_whose_removal_was_interrupted_is_made_again(project):
    install(project)
    (project / ".venv" / "pyvenv.cfg").unlink()
    (project / ".venv" / "left-over").touch()
    assert install(project).returncode == 0
    assert not (project / ".venv" / "left-over").exists()


@pytest.mark.parametrize("python", ["python3.10", "python3.14", "python9"])
def test_a_python_that_does_not_fit_or_is_absent_is_one_line_and_leaves_the_environment(project, python):
    install(project, python="python3.12")
    done = install(project, python=python)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert python in done.stderr
    assert "make setup PYTHON=" in done.stderr
    assert python_of(project) == "3.12.1"
